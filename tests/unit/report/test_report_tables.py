"""What is better than what, and in which order things are listed."""

import math
from dataclasses import replace

import pytest

from lightmodel.contract.results import ClassScore, Importance, Interval
from lightmodel.report import tables
from tests.unit.report.report_samples import binary, folds, multiclass, regression


@pytest.mark.parametrize("metric", ["auc", "accuracy", "macro_f1", "r2"])
def test_higher_is_better_for_most_metrics(metric: str) -> None:
    assert tables.compare(metric, 0.9, 0.8) == "better"
    assert tables.compare(metric, 0.8, 0.9) == "worse"


@pytest.mark.parametrize("metric", ["log_loss", "brier", "rmse", "mae"])
def test_lower_is_better_for_losses_and_errors(metric: str) -> None:
    assert tables.compare(metric, 0.8, 0.9) == "better"
    assert tables.compare(metric, 0.9, 0.8) == "worse"


def test_incomparable_values_have_no_mark() -> None:
    assert tables.compare("auc", math.nan, 0.5) == ""
    assert tables.compare("auc", 0.5, math.nan) == ""
    assert tables.compare("of_my_own", 0.9, 0.5) == ""


def test_values_that_look_equal_are_marked_as_the_same() -> None:
    assert tables.compare("auc", 0.87310001, 0.87310002) == "same"


def test_the_change_is_that_on_the_rows_of_the_comparison() -> None:
    evaluation = binary()
    assert evaluation.comparison is not None
    elsewhere = replace(evaluation.comparison, candidate={"auc": 0.7}, served={"auc": 0.8})
    row = tables.metric_rows(replace(evaluation, comparison=elsewhere), "auc")[0]
    assert row.value == evaluation.metrics["auc"].value
    assert (row.on_new_rows, row.served, row.against_served) == (0.7, 0.8, "worse")


def test_an_interval_that_was_not_computed_is_not_shown() -> None:
    assert tables.interval_text(Interval(0.5, 0.5, 0.5)) == ""
    assert tables.interval_text(Interval(0.5, math.nan, 0.6)) == ""
    assert tables.interval_text(None) == ""
    assert tables.interval_text(Interval(0.5, 0.4, 0.6), " to ") == "0.4000 to 0.6000"


def test_the_share_of_the_reachable_auc_starts_at_the_dummy() -> None:
    evaluation = replace(binary(), metrics={"auc": Interval(0.7, 0.7, 0.7)}, best_reachable=0.9)
    assert tables.share_of_reachable(evaluation) == pytest.approx(0.5)
    assert tables.share_of_reachable(replace(evaluation, best_reachable=0.5)) is None
    assert tables.share_of_reachable(replace(evaluation, best_reachable=None)) is None


def test_every_task_has_three_to_five_key_numbers() -> None:
    for evaluation, metric in ((binary(), "auc"), (multiclass(), "macro_f1"), (regression(), "r2")):
        assert 3 <= len(tables.tiles(evaluation, metric, 0.7, 100)) <= 5


def test_a_tile_shows_a_lower_loss_as_better() -> None:
    tiles = {tile.title: tile for tile in tables.tiles(binary(), "log_loss", 0.4, 100)}
    assert tiles["Log loss"].mark == "better"
    assert tiles["Change in Log loss"].mark == "better"


def test_the_classes_with_most_rows_come_first() -> None:
    classes = [ClassScore(name, rows, 1, 1, 1) for name, rows in (("b", 2), ("c", 9), ("a", 2))]
    assert [each.label for each in tables.class_rows(classes)] == ["c", "a", "b"]


def test_a_fold_without_a_metric_does_not_spoil_the_mean() -> None:
    reports = folds("auc", 3)
    reports = (replace(reports[0], metrics={"auc": math.nan}), *reports[1:])
    (summary,) = tables.fold_summaries(reports)
    assert summary.mean == pytest.approx(0.8025)
    assert summary.spread == pytest.approx(0.0005 * math.sqrt(2))
    assert math.isnan(tables.fold_summaries(reports[1:2])[0].spread)


def test_features_are_ranked_by_gain_and_the_unknown_come_last() -> None:
    features = [
        Importance("unknown", math.nan, 1),
        Importance("small", 1.0, 1),
        Importance("unused", 0.0, 0),
        Importance("large", 3.0, 1),
    ]
    rows = tables.feature_rows(features, 10)
    assert [row.feature for row in rows] == ["large", "small", "unused", "unknown"]
    assert [row.share for row in rows[:3]] == [0.75, 0.25, 0.0]
    assert [row.bar for row in rows] == [1.0, pytest.approx(1 / 3), 0.0, 0.0]
    assert math.isnan(rows[3].share)
    assert len(tables.feature_rows(features, 2)) == 2
    assert tables.unused(features) == 1
