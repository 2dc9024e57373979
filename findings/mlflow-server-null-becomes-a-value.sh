#!/usr/bin/env bash
# MLflow 3.17.2 with pandas 3.1.1, a model whose signature has an optional text column and an optional boolean column: a null
# in JSON reaches the model as False, as if somebody had said no, and in `instances` a null text as the text "None";
# the answer is 200. Rows without the keys arrive as missing; an empty boolean cell of CSV is refused. A model
# that tells "unknown" from "no" scores such rows wrongly. Asked here is invocations(), the function behind
# /invocations of `mlflow models serve`. Leave unknown cells out of the JSON, or log the model without an input schema.
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
    """Answers with what arrived in each cell."""

    def predict(self, context, model_input, params=None):
        wanted = model_input.reindex(columns=["channel", "member"])
        return [["missing" if pd.isna(cell) else repr(cell) for cell in row] for row in wanted.to_numpy()]


columns = [ColSpec("double", "age"), ColSpec("string", "channel", required=False), ColSpec("boolean", "member", required=False)]
schema = Schema(columns)
mlflow.pyfunc.save_model("model", python_model=Echo(), signature=ModelSignature(inputs=schema))
model = mlflow.pyfunc.load_model("model")


def seen(text: str, kind: str = "application/json") -> str:
    try:
        answer = invocations(text, kind, model, schema)
    except MlflowException:
        return "refused"
    return f"{answer.status} {json.loads(answer.response).get('predictions', answer.response)}"


row = {"age": 30.0, "channel": None, "member": None}
told = {
    "null, dataframe_records": seen(json.dumps({"dataframe_records": [row]})),
    "null, dataframe_split": seen(json.dumps({"dataframe_split": {"columns": [*row], "data": [[*row.values()]]}})),
    "null, instances": seen(json.dumps({"instances": [row]})),
    "without the keys": seen(json.dumps({"dataframe_records": [{"age": 30.0}]})),
    "an empty cell of CSV": seen("age,channel,member\n30.0,,\n", "text/csv"),
}
for form, cells in told.items():
    print(f"{form}: {cells}")
assert told["null, dataframe_records"] == told["null, dataframe_split"] == "200 [['missing', 'False']]"
assert told["null, instances"] == """200 [["'None'", 'False']]"""
assert told["without the keys"] == "200 [['missing', 'missing']]" and told["an empty cell of CSV"] == "refused"
P
# Seen:
#   null, dataframe_records: 200 [['missing', 'False']]
#   null, dataframe_split: 200 [['missing', 'False']]
#   null, instances: 200 [["'None'", 'False']]
#   without the keys: 200 [['missing', 'missing']]
#   an empty cell of CSV: refused
