"""The last reports as Prometheus gauges."""

import json
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from lightmodel.config import Config, WatchSection, load
from lightmodel.watch.drift import DriftReport, compare
from lightmodel.watch.files import drift_file, last_drift, store_drift
from lightmodel.watch.gauges import WatchCollector
from tests.unit.watch.watch_samples import mixed_rows, reference_of, scores_of, window_of


def config_of(folder: Path) -> Config:
    return load(None, [f"log.folder={folder}"], {}).config


def report_on(rows: int, *, shifted: bool = False) -> DriftReport:
    features = mixed_rows(rows, seed=1)
    features[:, 0] += float(shifted)
    report = compare(reference_of(), window_of(features, scores_of(rows, seed=1)), WatchSection())
    return DriftReport.from_dict(
        {**report.to_dict(), "version": "v1", "created": "2026-01-10T12:00:00+00:00"}
    )


def gauges(config: Config) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(WatchCollector(config))
    page = generate_latest(registry).decode()
    return {
        (sample.name.removeprefix("lightmodel_drift_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_without_a_report_there_are_no_gauges(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    assert gauges(config) == {}
    drift_file(config).write_text('{"verdict": "drift"', encoding="utf-8")
    assert gauges(config) == {}
    drift_file(config).write_text('{"version": "v1"}', encoding="utf-8")
    assert (gauges(config), last_drift(config)) == ({}, None)
    whole = report_on(2_000).to_dict()
    for change in ({"created": "yesterday"}, {"rows": "many"}, {"tests": [1]}, {"notes": [None]}):
        drift_file(config).write_text(json.dumps({**whole, **change}), encoding="utf-8")
        assert (gauges(config), last_drift(config)) == ({}, None)


def test_a_report_is_exported_with_each_test(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    store_drift(config, report_on(2_000, shifted=True))
    found = gauges(config)
    assert found["detected", "v1"] == found["columns", "v1"] == 1
    assert found["rows", "v1"] == 2_000
    assert found["timestamp_seconds", "v1"] == 1_768_046_400
    assert found["effect", "x", "feature", "ks", "v1"] > 0.1
    assert found["p_value", "x", "feature", "ks", "v1"] < 0.01
    assert np.isclose(found["effect", "probability", "score", "missing", "v1"], 0)
    store_drift(config, report_on(2_000))
    assert gauges(config)["detected", "v1"] == 0


def test_without_a_verdict_only_time_and_rows_are_exported(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    store_drift(config, report_on(20))
    assert set(gauges(config)) == {("timestamp_seconds", "v1"), ("rows", "v1")}
