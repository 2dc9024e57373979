"""Evidently itself: its pages of a model in service, and of every kind of task."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from lightmodel.config import WatchSection
from lightmodel.contract.columns import ColumnType
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import NotPossible
from lightmodel.training.reference import make_reference
from lightmodel.watch.evidently.pages import make_pages
from lightmodel.watch.evidently.tables import LabelledTable, drift_tables, labelled_table
from lightmodel.watch.labelled import LabelledRows
from lightmodel.watch.window import WindowRows
from tests.fakes.odd_names import LABELS, LONG, MARKUP
from tests.fakes.project import ROOT
from tests.unit.watch.watch_samples import MIXED, contract_of, feature

pytestmark = pytest.mark.evidently

PYTHON = ROOT / "var" / "ci" / "evidently" / "bin" / "python"
SECTION = WatchSection(evidently_python=PYTHON, evidently_timeout_s=1_800)
ROWS = 4_000  # by chance alone, a thousand may move by a tenth of a deviation
ODD = ("always the same", "huge", "once")


def labelled(task: Task, target: object, decided: object, scores: object) -> LabelledTable:
    values = np.array(target, np.float64)
    times = np.array([f"t{row:05}" for row in range(len(values))])
    rows = LabelledRows(
        task, times, values, np.array(decided, np.int64), np.array(scores, np.float64)
    )
    return labelled_table(rows, contract_of(*MIXED.features, task=task))


def test_drift_and_decisions_are_reported_as_they_are(tmp_path: Path) -> None:
    """A shift is found at every scale, and decisions at another threshold than 0.5 are those measured."""
    random = np.random.default_rng(0)
    names = ("steady", "moved", "moved and tiny", MARKUP, LONG, "probability", "", *ODD)
    kinds = [feature(name, ColumnType.NUMBER) for name in names]
    contract = contract_of(*kinds, feature("colour", ColumnType.CATEGORY, ("a", "b", "c<d")))
    before = random.normal(size=(ROWS, 11))
    now = random.normal(size=(ROWS, 11))
    now[:, 1:3] += 3
    for table, shares in ((before, [0.6, 0.3, 0.1]), (now, [0.1, 0.3, 0.6])):
        table[:, 2] *= 1e-6
        table[::5, 0] = table[1:, 9] = np.nan
        table[:, 7] = table[0, 9] = 7
        table[:, 8] *= 1e300
        table[:, 10] = random.choice(3, ROWS, p=shares)
    scores = random.beta(2, 8, (2, ROWS))
    columns = {one.name: now[:, at] for at, one in enumerate(contract.features)}
    rows = WindowRows(ROWS, [], np.ones(ROWS, np.bool_), columns, {"probability": scores[1]})
    reference = make_reference(before, contract, scores[0])
    target = random.random(ROWS) < scores[1]
    decided = scores[1] > 0.2
    result = make_pages(
        SECTION,
        tmp_path,
        drift_tables(reference, rows, contract, with_features=True),
        labelled(Task(TaskKind.BINARY, ("no", "yes")), target, decided, scores[1]),
    )
    drift, metrics = result["drift"], result["labelled"]
    assert len(drift) == 12
    assert {name for name, one in drift.items() if one["drifted"]} == {
        "moved", "moved and tiny", "colour"
    }  # fmt: skip
    assert metrics["Accuracy"] == pytest.approx(accuracy_score(target, decided))
    assert metrics["RocAuc"] == pytest.approx(roc_auc_score(target, scores[1]))
    page = (tmp_path / "drift.html").read_text(encoding="utf-8")
    for name in ("steady", "moved and tiny", LONG, "probability_"):
        assert f'"{name}"' in page
    assert "<script>document" not in page
    assert "</script>document" not in page
    assert "Confusion Matrix" in (tmp_path / "labelled.html").read_text(encoding="utf-8")


def test_several_classes_are_measured_by_their_decisions(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    scores = random.dirichlet([1, 2, 3], 500)
    target = [random.choice(3, p=row) for row in scores]
    decided = (scores * [3, 1, 1]).argmax(axis=1)  # not the most probable class
    table = labelled(Task(TaskKind.MULTICLASS, LABELS), target, decided, scores)
    metrics = make_pages(SECTION, tmp_path, None, table)["labelled"]
    assert metrics["Accuracy"] == pytest.approx(accuracy_score(target, decided))
    assert len(metrics["F1ByLabel"]) == 3
    assert metrics["LogLoss"] > 0
    assert LABELS[0] not in (tmp_path / "labelled.html").read_text(encoding="utf-8")


def test_a_class_without_a_label_yet_is_no_error(tmp_path: Path) -> None:
    """Labels that are numbers are measured as texts are."""
    scores = np.random.default_rng(2).dirichlet([1, 2, 3], 200)
    target = scores[:, :2].argmax(axis=1)
    table = labelled(Task(TaskKind.MULTICLASS, (1, 2, 3)), target, scores.argmax(axis=1), scores)
    metrics = make_pages(SECTION, tmp_path, None, table)["labelled"]
    assert metrics["Accuracy"] == pytest.approx(accuracy_score(target, scores.argmax(axis=1)))


def test_a_regression_has_its_errors(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    target = random.normal(100, 5, 400)
    predicted = target + random.normal(1, 2, 400)
    table = labelled(Task(TaskKind.REGRESSION), target, np.zeros(400), predicted)
    metrics = make_pages(SECTION, tmp_path, None, table)["labelled"]
    assert metrics["RMSE"] == pytest.approx(np.sqrt(np.mean((predicted - target) ** 2)))
    assert metrics["MAE"]["mean"] == pytest.approx(np.abs(predicted - target).mean())


def test_what_evidently_raises_is_named_without_its_message(tmp_path: Path) -> None:
    """Of a binary task, one label alone: `drift` asks for no such page."""
    table = labelled(Task(TaskKind.BINARY, ("no", "secret")), np.ones(9), np.ones(9), np.ones(9))
    with pytest.raises(NotPossible, match="Evidently failed: ValueError in ") as caught:
        make_pages(SECTION, tmp_path, None, table)
    assert "secret" not in caught.value.message
