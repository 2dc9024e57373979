"""Two versions side by side: metrics, settings, contracts and what can be done with one."""

from typing import Any

from lightmodel.console.versions.api import MetricValue, VersionDetails
from lightmodel.console.versions.comparison import (
    columns_of,
    contract_differences,
    metric_rows,
    setting_differences,
    value_text,
)


def version(name: str = "20260102T030405000000Z-abcdef", **facts: Any) -> VersionDetails:
    return VersionDetails.model_validate({"version": name, "status": "approved", **facts})


def test_the_better_value_is_named_by_the_metrics_own_direction() -> None:
    left = version(
        metric="auc",
        metrics={"log_loss": {"value": 0.4}, "auc": {"value": 0.9, "low": 0.88, "high": 0.92}},
    )
    right = version(
        metric="auc",
        metrics={"auc": {"value": 0.85}, "log_loss": {"value": 0.3}, "own": {"value": 1}},
    )
    rows = list(metric_rows(left, right))
    assert [(row.title, row.better, row.decides) for row in rows] == [
        ("AUC", "left", True),
        ("Log loss", "right", False),
        ("own", "", False),
    ]
    assert rows[0].left == "0.9000 (0.8800 to 0.9200)"
    assert rows[2].left == "\N{EN DASH}"


def test_a_value_without_an_interval_stands_alone() -> None:
    assert value_text(MetricValue(value=0.5)) == "0.5000"
    assert value_text(MetricValue(value=1234.5678)) == "1,234.6"
    assert value_text(MetricValue()) == "\N{EN DASH}"


def test_settings_differ_by_their_full_names() -> None:
    left = version(settings={"train": {"folds": 5, "parameters": {"num_leaves": 8}}, "split": {}})
    right = version(settings={"train": {"folds": 5, "parameters": {}, "calibration": True}})
    assert [(one.name, one.left, one.right) for one in setting_differences(left, right)] == [
        ("split", "{}", "\N{EN DASH}"),
        ("train.calibration", "\N{EN DASH}", "true"),
        ("train.parameters", "\N{EN DASH}", "{}"),
        ("train.parameters.num_leaves", "8", "\N{EN DASH}"),
    ]


def test_contracts_differ_by_columns_in_words() -> None:
    age = {"name": "age", "role": "feature", "type": "number", "minimum": 18, "maximum": 79}
    place = {"name": "where", "role": "feature", "type": "category", "categories": ["a", "b"]}
    left = version(contract={"columns": [age, place]})
    right = version(
        contract={"columns": [{**age, "missing": True}, {**place, "categories_withheld": 3}]}
    )
    assert columns_of(left)["age"] == "feature, number, 18 to 79"
    assert [(one.name, one.right) for one in contract_differences(left, right)] == [
        ("age", "feature, number, may be missing, 18 to 79"),
        ("where", "feature, category, 5 categories"),
    ]
    assert contract_differences(left, version()) == contract_differences(
        left, version(contract=None)
    )


def test_a_version_is_named_by_its_time_in_the_readers_zone() -> None:
    one = version(created="2026-01-02T03:04:05+00:00")
    assert one.label("Europe/Berlin") == "2026-01-02 04:04 CET · abcdef"
    assert version(created="").trained("Europe/Berlin") == ""
