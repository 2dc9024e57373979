"""The gauges of what no request changes: the model, the disks, and what waits."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from lightmodel.config import Config, load
from lightmodel.notify.notifier import spool_of
from lightmodel.notify.spool import SpooledMessage
from lightmodel.predictions.sqlite import SqliteSink
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.service.state_gauges import StateCollector
from tests.fakes.answers import answered, rows_of


def gauges(config: Config, model: object = None) -> dict[str, float]:
    registry = CollectorRegistry()
    models = cast("ModelManager", SimpleNamespace(loaded=model))
    registry.register(StateCollector(config, models))
    lines = generate_latest(registry).decode().splitlines()
    parts = (line.removeprefix("lightmodel_").rpartition(" ") for line in lines if line[0] != "#")
    return {name: float(value) for name, _, value in parts}


def test_the_served_model_is_shown_with_its_time() -> None:
    manifest = SimpleNamespace(created="2026-01-01T00:00:00+00:00")
    found = gauges(Config(), SimpleNamespace(version="v1", manifest=manifest))
    assert found['model_info{version="v1"}'] == 1
    assert found["model_created_timestamp_seconds"] == 1_767_225_600


def test_without_a_model_none_is_shown() -> None:
    assert not [name for name in gauges(Config()) if name.startswith("model_")]


def test_disks_are_measured_though_the_folders_do_not_exist_yet(tmp_path: Path) -> None:
    found = gauges(load(None, [f"log.folder={tmp_path / 'a' / 'b'}"], {}).config)
    for folder in ("log", "store", "work"):
        free = found[f'disk_free_bytes{{folder="{folder}"}}']
        assert 0 < free <= found[f'disk_size_bytes{{folder="{folder}"}}']
    assert not (tmp_path / "a").exists()


def test_a_disk_that_does_not_answer_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr("shutil.disk_usage", fail)
    found = gauges(Config())
    assert found == {"log_waiting_bytes": 0, "notifications_waiting": 0}


def test_notifications_that_wait_are_counted() -> None:
    config = Config()
    assert gauges(config)["notifications_waiting"] == 0
    for title in ("one", "two"):
        spool_of(config).put(SpooledMessage("channel", title, "body"))
    assert gauges(config)["notifications_waiting"] == 2


def test_rows_that_wait_for_the_database_are_measured(tmp_path: Path) -> None:
    environ = {"LIGHTMODEL__LOG__SINK": "postgres", "LIGHTMODEL__LOG__FOLDER": str(tmp_path)}
    config = load(None, [], environ).config
    assert gauges(config)["log_waiting_bytes"] == 0
    spool = SqliteSink(tmp_path / "spool.sqlite")
    spool.write(rows_of(answered("r1", ["a"] * 100, [0.1] * 100)))
    spool.close()
    assert gauges(config)["log_waiting_bytes"] > 1_000
