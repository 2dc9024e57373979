"""Ranking over the folds, significance of differences, and blends."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from lightmodel.config import TrainSection
from lightmodel.contract.cells import Scores
from lightmodel.contract.task import METRICS, Task, TaskKind
from lightmodel.search.entries import CvResult
from lightmodel.search.ranking import TrainRows, blend, fit_weights, paired_difference, rank
from lightmodel.training.metrics import measure

AUC, RMSE = METRICS["auc"], METRICS["rmse"]
SECTION = TrainSection()
ROWS, FOLDS = 2_000, 5


def result(name: str, values: Sequence[float], metric: str = "auc") -> CvResult:
    folds = tuple({metric: value} for value in values)
    return CvResult(
        name, name, {}, np.zeros(4), folds, {metric: float(np.mean(values))}, 1, 1e-6, 9
    )


def scored(name: str, scores: Scores, rows: TrainRows) -> CvResult:
    numbers = range(int(rows.fold_numbers.max()) + 1)
    folds = tuple(
        measure(
            rows.task, rows.target[rows.fold_numbers == at], scores[rows.fold_numbers == at], 0.5
        )
        for at in numbers
    )
    used = rows.fold_numbers >= 0
    pooled = measure(rows.task, rows.target[used], scores[used], 0.5)
    return CvResult(name, f"a.{name}", {"k": 1}, scores, folds, pooled, 2.0, 1e-6, 10, (), (name,))


def regression_rows() -> tuple[TrainRows, np.random.Generator]:
    random = np.random.default_rng(1)
    target = random.normal(size=ROWS)
    return TrainRows(Task(TaskKind.REGRESSION), target, np.arange(ROWS) % FOLDS), random


def test_the_best_mean_over_the_folds_is_first() -> None:
    low, high = result("low", [0.7, 0.8]), result("high", [0.9, 0.8])
    assert [one.result.name for one in rank([low, high], AUC)] == ["high", "low"]


def test_where_lower_is_better_the_lowest_is_first() -> None:
    low, high = result("low", [1.0, 2.0], "rmse"), result("high", [3.0, 2.5], "rmse")
    ranked = rank([high, low], RMSE)
    assert [one.result.name for one in ranked] == ["low", "high"]
    assert ranked[1].behind == pytest.approx(1.25)


def test_an_entry_without_a_score_comes_last() -> None:
    ranked = rank([result("none", [math.nan, math.nan]), result("some", [0.1, 0.2])], AUC)
    assert [one.result.name for one in ranked] == ["some", "none"]
    assert math.isnan(ranked[1].mean["auc"])


def test_a_fold_without_a_score_is_left_out_of_the_mean() -> None:
    (ranked,) = rank([result("one", [0.5, math.nan, 0.7])], AUC)
    assert ranked.mean["auc"] == pytest.approx(0.6)
    assert (ranked.behind, ranked.is_tied) == (0.0, True)


def test_a_lead_in_every_fold_is_significant_and_a_changing_one_is_not() -> None:
    best = result("best", [0.80, 0.70, 0.90, 0.75, 0.85])
    steady = result("steady", [0.78, 0.68, 0.881, 0.73, 0.83])
    shaky = result("shaky", [0.90, 0.60, 0.85, 0.82, 0.75])
    ranked = {one.result.name: one for one in rank([best, steady, shaky], AUC)}
    assert (ranked["steady"].is_tied, ranked["shaky"].is_tied) == (False, True)


def test_the_interval_is_that_of_nadeau_and_bengio() -> None:
    best, other = np.array([0.9, 0.8, 0.7, 0.8]), np.array([0.8, 0.8, 0.6, 0.5])
    behind, noise = paired_difference(best, other, AUC)
    differences = np.array([0.1, 0.0, 0.1, 0.3])
    expected = 3.182446 * math.sqrt((1 / 4 + 1 / 3) * differences.var(ddof=1))  # t(3) at 97.5 %
    assert behind == pytest.approx(0.125)
    assert noise == pytest.approx(expected, rel=1e-6)


def test_the_best_of_several_needs_a_wider_interval() -> None:
    best, other = np.array([0.9, 0.8, 0.7, 0.8]), np.array([0.8, 0.8, 0.6, 0.5])
    (_, alone), (_, of_five) = (paired_difference(best, other, AUC, many) for many in (1, 5))
    assert of_five / alone == pytest.approx(
        5.840909 / 3.182446, rel=1e-6
    )  # t(3) at 99.5 and 97.5 %


def test_a_single_common_fold_has_an_infinite_interval() -> None:
    best, other = np.array([0.9, math.nan]), np.array([0.8, 0.7])
    behind, noise = paired_difference(best, other, AUC)
    assert behind == pytest.approx(0.1)
    assert noise == math.inf


@pytest.mark.parametrize("kind", list(TaskKind))
def test_fitted_weights_recover_the_true_mixture(kind: TaskKind) -> None:
    random = np.random.default_rng(0)
    rows = 60_000
    if kind is TaskKind.REGRESSION:
        one, two, bad = random.normal(100, 50, (3, rows))
        target = 0.7 * one + 0.3 * two
    elif kind is TaskKind.BINARY:
        one, two = random.beta(0.5, 0.5, (2, rows))
        bad = np.full(rows, 0.5)
        target = (random.random(rows) < 0.7 * one + 0.3 * two).astype(float)
    else:
        one, two = random.dirichlet([0.3] * 3, (2, rows))
        bad = np.full((rows, 3), 1 / 3)
        edges = (0.7 * one + 0.3 * two).cumsum(axis=1)
        target = (random.random((rows, 1)) > edges).sum(axis=1).clip(0, 2).astype(float)
    weights = fit_weights(kind, target, [one, two, bad])
    assert weights == pytest.approx((0.7, 0.3, 0.0), abs=0.02)
    assert sum(weights) == pytest.approx(1, abs=1e-5)


def test_a_blend_of_independent_errors_is_better_and_names_its_members() -> None:
    rows, random = regression_rows()
    views = [
        scored(name, rows.target + random.normal(0, noise, ROWS), rows)
        for name, noise in (("a", 0.5), ("b", 0.5), ("c", 0.6), ("d", 3.0))
    ]
    blended = blend(views, rows, RMSE, SECTION)
    assert blended is not None
    assert rank([*views, blended], RMSE)[0].result is blended
    assert sorted(blended.versions) == ["a", "b", "c"]
    assert {"estimator": "a.a", "parameters": {"k": 1}} in blended.parameters["members"]
    assert blended.parameters["weights"] == list(blended.weights)
    assert (blended.fit_seconds, blended.size, blended.threshold) == (6.0, 30, None)


def test_each_fold_of_a_blend_is_scored_by_weights_of_the_other_folds() -> None:
    rows, random = regression_rows()
    one = rows.target + random.normal(0, 0.5, ROWS)
    two = rows.target + random.normal(0, 0.5, ROWS)
    members = [scored("a", one, rows), scored("b", two, rows)]
    before = blend(members, rows, RMSE, SECTION)
    changed = rows.target.copy()
    changed[rows.fold_numbers == 0] = one[rows.fold_numbers == 0]  # "a" is perfect here
    other = TrainRows(rows.task, changed, rows.fold_numbers)
    after = blend([scored("a", one, other), scored("b", two, other)], other, RMSE, SECTION)
    assert before is not None
    assert after is not None
    held_out = rows.fold_numbers == 0
    np.testing.assert_array_equal(before.scores[held_out], after.scores[held_out])
    assert not np.array_equal(before.scores[~held_out], after.scores[~held_out])


def test_a_blend_of_noise_has_no_better_out_of_fold_score() -> None:
    rows, random = regression_rows()
    noise = [scored(name, random.normal(0, 0.01, ROWS), rows) for name in "abc"]
    blended = blend(noise, rows, RMSE, SECTION)
    assert blended is None or blended.pooled["rmse"] > 0.99 * float(rows.target.std())


def test_a_binary_blend_has_a_threshold_and_no_scores_for_rows_in_no_fold() -> None:
    random = np.random.default_rng(0)
    numbers = np.arange(ROWS) % 6 - 1
    truth = random.random(ROWS)
    target = (random.random(ROWS) < truth).astype(float)
    rows = TrainRows(Task(TaskKind.BINARY), target, numbers)
    views = []
    for name in "ab":
        scores = np.clip(truth + random.normal(0, 0.3, ROWS), 0.01, 0.99)
        scores[numbers < 0] = np.nan
        views.append(scored(name, scores, rows))
    blended = blend(views, rows, AUC, SECTION)
    assert blended is not None
    assert blended.threshold is not None
    assert np.isnan(blended.scores[numbers < 0]).all()
    assert rank([*views, blended], AUC)[0].result is blended


def test_a_single_result_and_blends_are_not_blended() -> None:
    rows, random = regression_rows()
    one = scored("a", rows.target + random.normal(0, 0.5, ROWS), rows)
    present = replace(one, name="present settings", estimator="blend")
    assert blend([one], rows, RMSE, SECTION) is None
    assert blend([one, present], rows, RMSE, SECTION) is None


@pytest.mark.parametrize("kind", [TaskKind.REGRESSION, TaskKind.BINARY])
def test_a_blend_weighs_its_members_by_the_rows_that_count(kind: TaskKind) -> None:
    random = np.random.default_rng(0)
    target = random.integers(0, 2, ROWS).astype(float)
    first = np.arange(ROWS) < ROWS // 2
    good, bad = np.abs(target - 0.1), np.abs(1 - target - 0.3)
    members = [np.where(first, good, bad), np.where(first, bad, good)]
    for heavy, best in ((first, 0), (~first, 1)):
        weights = fit_weights(kind, target, members, np.where(heavy, 1.0, 1e-3))
        assert weights[best] > 0.95
    assert fit_weights(kind, target, members) == pytest.approx((0.5, 0.5), abs=0.05)


def test_the_metrics_of_a_blend_are_weighted() -> None:
    rows, random = regression_rows()
    members = [rows.target + random.normal(size=ROWS) for _ in range(2)]
    weighted = replace(rows, weights=random.gamma(1.0, 1.0, ROWS))
    results = [scored(name, one, rows) for name, one in zip("ab", members, strict=True)]
    blended = blend(results, weighted, RMSE, SECTION)
    assert blended is not None
    expected = measure(rows.task, rows.target, blended.scores, None, weighted.weights)
    assert blended.pooled == pytest.approx(expected)
