"""What Prefect's page shows of studies and drift; what it shows of a chain needs a model."""

import os
from pathlib import Path

from lightmodel.config import load
from lightmodel.flows.artefacts import artefacts
from lightmodel.watch.column_tests import ColumnDrift
from lightmodel.watch.drift import DriftReport
from lightmodel.watch.files import store_drift

VERSION = "20260109T000000000000Z-aaaaaa"


def test_the_table_of_a_study_is_that_of_the_newest(tmp_path: Path) -> None:
    config = load(sets=[f"store.work={tmp_path}"]).config
    for age, name in enumerate(["new", "old"]):
        folder = config.tune.folder(tmp_path, name)
        folder.mkdir(parents=True)
        file = folder / "finalists.csv"
        file.write_text(f"rank,auc\n1,0.{age + 7}\n", encoding="utf-8")
        os.utime(file, (1_000_000 - age, 1_000_000 - age))
    (shown,) = artefacts(config, "tune")
    assert shown["table"] == [{"rank": "1", "auc": "0.7"}]
    assert "new" in shown["title"]


def test_each_comparison_of_a_drift_report_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    config = load(sets=[f"log.folder={tmp_path / 'log'}"]).config
    tests = (
        ColumnDrift("age", is_score=False, test="ks", effect=0.31234, p_value=0.0, drifted=True),
        ColumnDrift("town", is_score=False, test="psi", effect=0.01, p_value=0.5),
    )
    created = "2026-01-10T12:00:00+00:00"
    report = DriftReport(
        VERSION, created, "drift", "age has drifted", 900, 900, 900, "", "", tests, (), 0.01, 0.1
    )
    store_drift(config, report)
    (shown,) = artefacts(config, "drift")
    assert shown["title"] == f"Drift of 900 rows that {VERSION} answered: drift"
    assert shown["table"] == [
        {"column": "age", "effect": 0.3123, "p-value": 0.0, "drifted": "yes"},
        {"column": "town", "effect": 0.01, "p-value": 0.5, "drifted": "no"},
    ]
