"""A server with a compiled model does not import the libraries that trained it."""

import subprocess
import sys

import pytest

from tests.fakes.project import ROOT, Project

SCRIPT = """
import sys
import lightmodel.cli
from lightmodel.config import load
from lightmodel.service import create_app
answer = create_app(load().config).test_client().post(
    "/predict", json={"age": 30, "spent": 3.5, "where": "web"})
assert answer.status_code == 200, answer.text
heavy = {"lightgbm", "scipy", "sklearn", "pandas", "joblib", "matplotlib", "mlflow", "tomlkit", "optuna"}
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
