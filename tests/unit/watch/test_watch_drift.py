"""Drift of a window from the training reference."""

from dataclasses import replace

import numpy as np
import pytest

from lightmodel.config import WatchSection
from lightmodel.contract.cells import MISSING, UNSEEN, Matrix, Vector
from lightmodel.contract.columns import ColumnType
from lightmodel.contract.task import Task, TaskKind
from lightmodel.training.reference import make_reference
from lightmodel.watch.drift import DriftReport, compare
from lightmodel.watch.window import Window, WindowColumn
from tests.unit.watch.watch_samples import (
    MIXED,
    contract_of,
    feature,
    mixed_rows,
    reference_of,
    scores_of,
    window_of,
)

SECTION = WatchSection()
AT = {column.name: at for at, column in enumerate(MIXED.features)}
DRAWS, COLUMNS = 200, 200
# of 200 draws at the rate of 1 %, as many raise an alarm with a probability below 0.001
TOO_MANY_ALARMS = 8


def drift_of(change: str, values: float | Vector = 0.0) -> DriftReport:
    """Compare like rows, but for one column with other values."""
    rows = mixed_rows(2_000, seed=1)
    if change:
        rows[:, AT[change]] = values
    return compare(reference_of(), window_of(rows, scores_of(2_000, seed=1)), SECTION)


def test_rows_as_in_training_have_not_drifted() -> None:
    report = drift_of("")
    assert (report.verdict, report.drifted) == ("stable", ())
    assert report.reason == "none of 7 columns has drifted"  # the day is left out
    assert {test.column for test in report.tests} == {*AT, "probability"} - {"day"}


def wide_rows(seed: int, rows: int) -> Matrix:
    """Return numbers with ties, numbers with gaps, and categories of which some are rare."""
    random = np.random.default_rng(seed)
    third = COLUMNS // 4
    numbers = random.normal(size=(rows, third))
    gaps = np.where(random.random((rows, third)) < 0.02, np.nan, random.normal(size=(rows, third)))
    ties = random.poisson(1, (rows, third)).astype(np.float64)
    codes = random.choice(8, (rows, third), p=[0.6, 0.3, 0.05, 0.03, 0.01, 0.005, 0.003, 0.002])
    return np.hstack([numbers, gaps, ties, codes])


def test_shuffled_training_rows_raise_no_alarm_and_one_shifted_column_is_named() -> None:
    names = [f"c{at}" for at in range(COLUMNS)]
    kinds = [ColumnType.NUMBER] * (3 * COLUMNS // 4) + [ColumnType.CATEGORY] * (COLUMNS // 4)
    contract = contract_of(
        *(
            feature(name, kind, "abcdefgh" if kind is ColumnType.CATEGORY else ())
            for name, kind in zip(names, kinds, strict=True)
        )
    )
    # any significant difference counts, however small
    section = WatchSection(min_rows=300, max_drift=0.0, alpha=0.01)
    alarms = 0
    for draw in range(DRAWS):
        rows = wide_rows(draw, 1_600)
        scores = scores_of(1_600, seed=draw)
        reference = make_reference(rows[:1_200], contract, scores[:1_200])
        now, answered = rows[1_200:], scores[1_200:]
        report = compare(reference, window_of(now, answered, contract), section)
        alarms += report.verdict == "drift"
        if draw % 10:
            continue
        moved = draw
        shifted = now.copy()
        shifted[:, moved] = np.minimum(shifted[:, moved] + 1, 7)
        report = compare(reference, window_of(shifted, answered, contract), section)
        assert names[moved] in report.drifted
    assert alarms < TOO_MANY_ALARMS


@pytest.mark.parametrize(
    ("column", "values", "test"),
    [
        ("x", np.random.default_rng(2).normal(0.5, 1, 2_000), "ks"),
        ("count", 0.0, "ks"),
        ("colour", 0.0, "psi"),
        ("member", 1.0, "psi"),
        ("open", 0.0, "ks"),
        ("said", 500.0, "ks"),
        ("x", np.nan, "missing"),
        ("colour", float(MISSING), "missing"),
        ("colour", float(UNSEEN), "unseen"),
    ],
)
def test_a_shifted_column_is_named_with_what_moved(
    column: str, values: float | Vector, test: str
) -> None:
    report = drift_of(column, values)
    assert (report.verdict, report.drifted) == ("drift", (column,))
    assert test in {one.test for one in report.tests if one.drifted}
    assert report.reason.startswith("1 of 7 columns has drifted")


def test_dates_that_go_on_are_no_drift() -> None:
    assert drift_of("day", 86_400.0 * 30_000).verdict == "stable"


def test_the_models_scores_drift_without_features() -> None:
    window = replace(window_of(mixed_rows(2_000), scores_of(2_000) ** 0.5), features={})
    report = compare(reference_of(), window, SECTION)
    assert report.drifted == ("probability",)
    (note,) = report.notes
    assert "log.features" in note
    assert {test.is_score for test in report.tests} == {True}


def test_a_few_rows_with_features_leave_the_scores() -> None:
    window = window_of(mixed_rows(2_000, seed=1), scores_of(2_000, seed=1))
    few = window_of(mixed_rows(40), scores_of(40)).features
    report = compare(reference_of(), replace(window, features=few), SECTION)
    assert (report.verdict, report.with_features) == ("stable", 40)
    assert "40 rows have features" in report.notes[0]


@pytest.mark.parametrize("rows", [0, 499])
def test_below_the_minimum_of_rows_there_is_no_verdict(rows: int) -> None:
    report = compare(reference_of(), window_of(mixed_rows(rows), scores_of(rows)), SECTION)
    assert (report.verdict, report.tests) == ("none", ())
    assert report.reason == (
        f"no verdict: {rows} rows in the last 7 days, and watch.min_rows is 500"
    )


@pytest.mark.parametrize("before", [0.0, 5.0, np.nan])
@pytest.mark.parametrize("now", [-1.0, 0.0, 5.0, np.nan])
def test_columns_of_one_value_and_empty_ones_are_compared(before: float, now: float) -> None:
    contract = contract_of(feature("x", ColumnType.NUMBER))
    reference = make_reference(np.full((900, 1), before), contract, scores_of(900))
    window = window_of(np.full((900, 1), now), scores_of(900, seed=1), contract)
    same = before == now or (np.isnan(before) and np.isnan(now))
    assert compare(reference, window, SECTION).drifted == (() if same else ("x",))


def test_a_few_unseen_categories_are_expected_where_training_has_rare_ones() -> None:
    random = np.random.default_rng(0)
    names = [f"c{at}" for at in range(3_000)]
    contract = contract_of(feature("place", ColumnType.CATEGORY, names))
    codes = random.zipf(1.4, 6_000).clip(1, 3_000) - 1.0
    scores = scores_of(3_000)
    reference = make_reference(codes[:3_000, None], contract, scores)
    later = codes[3_000:].copy()
    later[~np.isin(later, codes[:3_000])] = float(UNSEEN)
    assert np.isnan(later).mean() > 0.05
    window = window_of(later[:, None], scores, contract)
    report = compare(reference, window, WatchSection(max_drift=0.0))
    assert report.verdict == "stable"


def test_a_personal_column_is_compared_by_its_shares_and_stores_no_value() -> None:
    names = [f"p{at}@example.org" for at in range(50)]
    contract = contract_of(feature("mail", ColumnType.CATEGORY, names))
    codes = np.random.default_rng(0).integers(0, 50, (2_000, 1)).astype(np.float64)
    reference = make_reference(codes, contract, scores_of(2_000))
    assert b"example" not in reference.to_bytes()
    codes[:] = float(UNSEEN)
    report = compare(reference, window_of(codes, scores_of(2_000), contract), SECTION)
    assert report.drifted == ("mail",)
    assert {test.test for test in report.tests if not test.is_score} == {"missing", "unseen"}
    assert "mail" in report.notes[0]


def test_a_report_survives_json() -> None:
    for report in (drift_of(""), drift_of("x", np.nan)):
        assert DriftReport.from_dict(report.to_dict()) == report


def test_scores_of_several_classes_are_compared_by_class() -> None:
    contract = contract_of(task=Task(TaskKind.MULTICLASS, ("a", "b", "c")))
    random = np.random.default_rng(0)
    before, now = random.dirichlet((1, 2, 3), 2_000), random.dirichlet((1, 2, 9), 2_000)
    reference = make_reference(np.empty((2_000, 0)), contract, before)
    scores = {name: WindowColumn.of_numbers(one) for name, one in zip("abc", now.T, strict=True)}
    report = compare(reference, Window(2_000, "", "", 2_000, {}, scores), SECTION)
    assert report.drifted[0] == "c"
    assert {test.column for test in report.tests} == {"a", "b", "c"}
