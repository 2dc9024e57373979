#!/usr/bin/env bash
# MLflow 3.17.2: `predict` of a model whose signature has a column of type double refuses a pandas column of int64, unless every value
# is 0, 1 or missing: a flag passes, and the same table with one 2 in it is an error. int32 passes with any values. So a test with a few
# small rows says nothing: cast whole-number columns to float64 before predict, and CSV that pandas reads as well.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mlflow-skinny==3.17.2 pandas==3.0.6
cat > "$folder/sum.py" <<'P'
import sys

import mlflow.pyfunc
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema


class Sum(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["pieces"].sum()


signature = ModelSignature(Schema([ColSpec("double", "pieces")]), Schema([ColSpec("double", "sum")]))
mlflow.pyfunc.save_model(
    f"{sys.argv[1]}/model", python_model=Sum(), signature=signature, pip_requirements=[]
)
model = mlflow.pyfunc.load_model(f"{sys.argv[1]}/model")


def answer(values: list[int], kind: str) -> str:
    try:
        return str(model.predict(pd.DataFrame({"pieces": pd.Series(values, dtype=kind)})))
    except MlflowException as error:
        return "refused" if "Can not safely convert int64 to float64" in error.message else error.message


seen = {
    f"{kind} {values}": answer(values, kind)
    for kind, values in (("int64", [0, 1, 1]), ("int64", [0, 1, 2]), ("int32", [0, 1, 2]), ("float64", [0, 1, 2]))
}
print(f"RESULT {seen}")
assert list(seen.values()) == ["2.0", "refused", "3.0", "3.0"], seen
P
"$folder/venv/bin/python" "$folder/sum.py" "$folder" > "$folder/log" 2>&1 || { cat "$folder/log" && exit 1; }
sed -n 's/^RESULT //p' "$folder/log"
# Seen:
#   {'int64 [0, 1, 1]': '2.0', 'int64 [0, 1, 2]': 'refused', 'int32 [0, 1, 2]': '3.0', 'float64 [0, 1, 2]': '3.0'}
