"""A server with a compiled model imports neither the libraries that trained it nor Arrow."""

import subprocess
import sys

import pytest

from tests.fakes.project import ROOT, Project

SCRIPT = """
import gzip
import sys
import lightmodel.cli
from lightmodel.config import load
from lightmodel.service import create_app

sys.modules["lightgbm"] = sys.modules["scipy"] = None  # as where they are not installed
client = create_app(load().config).test_client()
record = b'{"age": 30, "spent": 3.5, "where": "web"}'
table = b"age,spent,where\\n30,3.5,web\\n"
bodies = {
    "application/json": b"[" + record + b"]",
    "application/x-ndjson": record,
    "text/csv": table,
    "application/octet-stream": gzip.compress(table),
}
answers = [client.post("/predict", data=body, content_type=kind) for kind, body in bodies.items()]
assert [answer.status_code for answer in answers] == [200] * 4, [answer.text for answer in answers]
assert len({answer.json[0]["probability"] for answer in answers}) == 1
heavy = {
    *("sklearn", "pandas", "joblib", "matplotlib", "mlflow", "tomlkit", "optuna"),
    *("pyarrow", "openpyxl", "requests", "rich", "psycopg"),
}
print(sorted(heavy & set(sys.modules)))
"""


@pytest.mark.compiler
def test_a_compiled_model_is_served_without_the_libraries_that_trained_it(
    trained_shop: Project,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=trained_shop.folder,
        env={"PYTHONPATH": str(ROOT), "LIGHTMODEL__LOG__SINK": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr
