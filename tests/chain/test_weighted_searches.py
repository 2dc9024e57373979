"""What compares models for a table with weights weighs the rows as training does."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest

from tests.fakes.project import SETTINGS, Project
from tests.fakes.tables import shop_table


@pytest.fixture
def weighted(tmp_path: Path) -> Project:
    """Return a project with a model of a table with weights."""
    weights = np.random.default_rng(5).gamma(1.0, 2.0, 600).round(2)
    table = shop_table().append_column("share", pa.array(weights))
    arrow_csv.write_csv(table, tmp_path / "shop.csv")
    project = Project(tmp_path)
    project.settings(SETTINGS.replace("[train]", '[train]\nweight = "share"'))
    return project


def out_of_fold(model: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((model / "metrics.json").read_bytes())["out_of_fold"]
    return found


def run_to_model(project: Project, *words: str) -> dict[str, Any]:
    ran = project.run(*words)
    assert ran.code == 0, ran.err
    return out_of_fold(project.models()[-1])


def test_a_comparison_has_the_weighted_metrics_of_training(weighted: Project) -> None:
    trained = run_to_model(weighted)
    ran = weighted.tool("compare", "--only", "logistic", "--only", "knn")
    assert ran.code == 0, ran.err
    (path,) = weighted.folder.glob("var/comparisons/2*/comparison.json")
    compared = json.loads(path.read_bytes())
    pooled = {one["name"]: one["pooled"] for one in compared["entries"]}
    assert pooled["present settings"] == pytest.approx(trained)
    assert "takes no weights of rows" in compared["left_out"]["knn"]
    plain = run_to_model(weighted, "--set", "train.weight=", "--set", 'data.ignore=["share"]')
    assert plain != pytest.approx(trained)


def test_a_study_compares_the_weighted_metrics_of_training(weighted: Project) -> None:
    trained = run_to_model(weighted)
    few = ("--set", "tune.finalists=1", "--set", "tune.max_rounds=20", "--set", "tune.folds=3")
    ran = weighted.tool("tune", "--all", "--trials", "2", *few)
    assert ran.code == 0, ran.err
    (path,) = weighted.folder.glob("var/studies/*/finalists.csv")
    finalists = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    (present,) = [one for one in finalists if one["trial"] == "present settings"]
    assert {name: float(present[name]) for name in trained} == pytest.approx(trained)


def test_a_retry_compares_the_weighted_metrics_of_training(weighted: Project) -> None:
    poor = ("--set", "train.parameters={max_rounds = 3, learning_rate = 0.3}")
    refused = weighted.run(*poor, "--set", "gate.minimum=0.99", "--set", "train.retry=1")
    assert refused.code == 10, refused.err
    _, best = weighted.models()
    (attempt,) = json.loads((best / "attempts.json").read_bytes())["attempts"]
    assert attempt["metrics"] == pytest.approx(out_of_fold(best))
