"""A server with a compiled model imports neither the libraries that trained it nor Arrow."""

import subprocess
import sys

import lightgbm as lgb
import numpy as np
import pytest

from lightmodel.config import load
from lightmodel.learners.compiled.trees import CompiledTrees
from lightmodel.scoring.model_store import open_version
from lightmodel.store import codec
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import models_of
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
answer = client.post("/predict?explain=2", data=record, content_type="application/json")
assert len(answer.json[0]["contributions"]) == 2, answer.text
heavy = {
    *("sklearn", "pandas", "joblib", "matplotlib", "mlflow", "tomlkit", "optuna"),
    *("pyarrow", "openpyxl", "requests", "rich", "psycopg"),
}
print(sorted(heavy & set(sys.modules)))
"""


@pytest.mark.compiler
def test_a_compiled_model_is_served_and_explained_without_the_libraries_that_trained_it(
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


@pytest.mark.compiler
def test_a_model_that_was_compiled_without_counts_is_explained_by_lightgbm(
    trained_shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained_shop.folder)
    version = newest_approved(models_of(load().config))
    rows = np.random.default_rng(0).integers(0, 9, (50, 3)).astype(float)
    text = codec.load(version)["model"]["texts"][0]
    expected = np.asarray(lgb.Booster(model_str=text).predict(rows, pred_contrib=True))
    monkeypatch.setattr(CompiledTrees, "contributions", None)
    monkeypatch.setattr(CompiledTrees, "has_contributions", False)
    contribute = open_version(version).predictor.contribute
    assert contribute is not None
    assert np.array_equal(contribute(rows), expected)
