"""Who is best over the folds, what is chance, and what a blend is worth."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from lightmodel.config import TrainSection
from lightmodel.contract.cells import Scores
from lightmodel.contract.task import METRICS, TaskKind
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
    numbers = range(int(rows.numbers.max()) + 1)
    folds = tuple(
        measure(rows.kind, rows.target[rows.numbers == at], scores[rows.numbers == at], 0.5)
        for at in numbers
    )
    used = rows.numbers >= 0
    pooled = measure(rows.kind, rows.target[used], scores[used], 0.5)
    return CvResult(name, f"a.{name}", {"k": 1}, scores, folds, pooled, 2.0, 1e-6, 10, (), (name,))


def numbers_of_rows() -> tuple[TrainRows, np.random.Generator]:
    random = np.random.default_rng(1)
    target = random.normal(size=ROWS)
    return TrainRows(TaskKind.REGRESSION, target, np.arange(ROWS) % FOLDS), random


def test_the_best_mean_over_the_folds_is_first() -> None:
    low, high = result("low", [0.7, 0.8]), result("high", [0.9, 0.8])
    assert [one.result.name for one in rank([low, high], AUC)] == ["high", "low"]


def test_where_less_is_better_the_least_is_first() -> None:
    low, high = result("low", [1.0, 2.0], "rmse"), result("high", [3.0, 2.5], "rmse")
    found = rank([high, low], RMSE)
    assert [one.result.name for one in found] == ["low", "high"]
    assert found[1].behind == pytest.approx(1.25)


def test_one_without_a_score_comes_last_and_is_not_tied_by_a_number() -> None:
    found = rank([result("none", [math.nan, math.nan]), result("some", [0.1, 0.2])], AUC)
    assert [one.result.name for one in found] == ["some", "none"]
    assert math.isnan(found[1].mean["auc"])


def test_a_fold_without_a_score_is_left_out_of_the_mean() -> None:
    (found,) = rank([result("one", [0.5, math.nan, 0.7])], AUC)
    assert found.mean["auc"] == pytest.approx(0.6)
    assert (found.behind, found.is_tied) == (0.0, True)


def test_a_lead_in_every_fold_is_no_tie_and_one_that_changes_sides_is() -> None:
    best = result("best", [0.80, 0.70, 0.90, 0.75, 0.85])
    steady = result("steady", [0.78, 0.68, 0.881, 0.73, 0.83])
    shaky = result("shaky", [0.90, 0.60, 0.85, 0.82, 0.75])
    found = {one.result.name: one for one in rank([best, steady, shaky], AUC)}
    assert (found["steady"].is_tied, found["shaky"].is_tied) == (False, True)


def test_the_noise_is_that_of_nadeau_and_bengio() -> None:
    best, other = result("a", [0.9, 0.8, 0.7, 0.8]), result("b", [0.8, 0.8, 0.6, 0.5])
    behind, noise = paired_difference(best, other, AUC)
    apart = np.array([0.1, 0.0, 0.1, 0.3])
    expected = 3.182446 * math.sqrt((1 / 4 + 1 / 3) * apart.var(ddof=1))  # t(3) at 97.5 %
    assert behind == pytest.approx(0.125)
    assert noise == pytest.approx(expected, rel=1e-6)


def test_one_common_fold_says_nothing_of_chance() -> None:
    best, other = result("a", [0.9, math.nan]), result("b", [0.8, 0.7])
    behind, noise = paired_difference(best, other, AUC)
    assert behind == pytest.approx(0.1)
    assert noise == math.inf


@pytest.mark.parametrize("kind", list(TaskKind))
def test_weights_find_the_mixture_that_made_the_scores(kind: TaskKind) -> None:
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


def test_a_blend_of_different_views_is_better_and_says_of_what_it_is_made() -> None:
    rows, random = numbers_of_rows()
    views = [
        scored(name, rows.target + random.normal(0, noise, ROWS), rows)
        for name, noise in (("a", 0.5), ("b", 0.5), ("c", 0.6), ("d", 3.0))
    ]
    mixed = blend(views, rows, RMSE, SECTION)
    assert mixed is not None
    assert rank([*views, mixed], RMSE)[0].result is mixed
    assert sorted(mixed.versions) == ["a", "b", "c"]
    assert {"estimator": "a.a", "parameters": {"k": 1}} in mixed.parameters["members"]
    assert mixed.parameters["weights"] == list(mixed.weights)
    assert (mixed.fit_seconds, mixed.size, mixed.threshold) == (6.0, 30, None)


def test_a_fold_of_a_blend_is_scored_by_weights_that_never_saw_it() -> None:
    rows, random = numbers_of_rows()
    one = rows.target + random.normal(0, 0.5, ROWS)
    two = rows.target + random.normal(0, 0.5, ROWS)
    members = [scored("a", one, rows), scored("b", two, rows)]
    before = blend(members, rows, RMSE, SECTION)
    changed = rows.target.copy()
    changed[rows.numbers == 0] = one[rows.numbers == 0]  # in this fold alone, "a" knows everything
    other = TrainRows(rows.kind, changed, rows.numbers)
    after = blend([scored("a", one, other), scored("b", two, other)], other, RMSE, SECTION)
    assert before is not None
    assert after is not None
    held_out = rows.numbers == 0
    np.testing.assert_array_equal(before.scores[held_out], after.scores[held_out])
    assert not np.array_equal(before.scores[~held_out], after.scores[~held_out])


def test_of_noise_a_blend_makes_no_better_score_out_of_fold() -> None:
    rows, random = numbers_of_rows()
    noise = [scored(name, random.normal(0, 0.01, ROWS), rows) for name in "abc"]
    mixed = blend(noise, rows, RMSE, SECTION)
    assert mixed is None or mixed.pooled["rmse"] > 0.99 * float(rows.target.std())


def test_a_blend_of_classes_has_a_threshold_and_leaves_rows_of_no_fold_alone() -> None:
    random = np.random.default_rng(0)
    numbers = np.arange(ROWS) % 6 - 1
    truth = random.random(ROWS)
    target = (random.random(ROWS) < truth).astype(float)
    rows = TrainRows(TaskKind.BINARY, target, numbers)
    views = []
    for name in "ab":
        scores = np.clip(truth + random.normal(0, 0.3, ROWS), 0.01, 0.99)
        scores[numbers < 0] = np.nan
        views.append(scored(name, scores, rows))
    mixed = blend(views, rows, AUC, SECTION)
    assert mixed is not None
    assert mixed.threshold is not None
    assert np.isnan(mixed.scores[numbers < 0]).all()
    assert rank([*views, mixed], AUC)[0].result is mixed


def test_one_alone_and_blends_are_not_blended() -> None:
    rows, random = numbers_of_rows()
    one = scored("a", rows.target + random.normal(0, 0.5, ROWS), rows)
    own = replace(one, name="present settings", estimator="blend")
    assert blend([one], rows, RMSE, SECTION) is None
    assert blend([one, own], rows, RMSE, SECTION) is None
