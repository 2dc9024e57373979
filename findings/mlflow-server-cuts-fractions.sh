#!/usr/bin/env bash
# MLflow 3.17.2 with pandas 3.1.1, a model whose signature says "long" for a column: 1.7 is refused by the loaded pyfunc model and
# by the scoring server in CSV, but the server cuts it to 1 when it comes in JSON, in every one of the usual shapes, and
# answers 200. Asked here is invocations(), the function behind /invocations of `mlflow models serve`. Log such a model
# with "double" for its number columns, or look for fractions before the server is asked.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mlflow==3.17.2 pandas==3.1.1
cd "$folder"
MLFLOW_DISABLE_TELEMETRY=true "$folder/venv/bin/python" - 2> log <<'P' || { cat log && exit 1; }
import json

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.pyfunc.scoring_server import invocations
from mlflow.types import ColSpec, Schema


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["visits"].tolist()


schema = Schema([ColSpec("long", "visits")])
mlflow.pyfunc.save_model("model", python_model=Echo(), signature=ModelSignature(inputs=schema))
model = mlflow.pyfunc.load_model("model")


def served(text: str, kind: str) -> str:
    answer = invocations(text, kind, model, schema)
    return f"{answer.status} {answer.response}"


def is_refused(ask, *arguments) -> bool:
    try:
        ask(*arguments)
    except MlflowException:
        return True
    return False


refused = is_refused(model.predict, pd.DataFrame({"visits": [1.7]})), is_refused(served, "visits\n1.7\n", "text/csv")
print(f"1.7 refused by the loaded model: {refused[0]}, by the server in CSV: {refused[1]}")
shapes = {
    "dataframe_split": {"columns": ["visits"], "data": [[1.7]]},
    "dataframe_records": [{"visits": 1.7}],
    "inputs": {"visits": [1.7]},
}
answers = {shape: served(json.dumps({shape: table}), "application/json") for shape, table in shapes.items()}
for shape, answer in answers.items():
    print(f"1.7 in JSON, {shape}: {answer}")
assert refused == (True, True) and set(answers.values()) == {'200 {"predictions": [1]}'}
P
# Seen:
#   1.7 refused by the loaded model: True, by the server in CSV: True
#   1.7 in JSON, dataframe_split: 200 {"predictions": [1]}
#   1.7 in JSON, dataframe_records: 200 {"predictions": [1]}
#   1.7 in JSON, inputs: 200 {"predictions": [1]}
