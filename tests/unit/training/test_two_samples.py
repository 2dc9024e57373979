"""Tests of two samples agree with those of scipy.stats, which the product does not import."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lightmodel.training.reference import Distribution
from lightmodel.training.two_samples import (
    chi_squared,
    holm,
    ks_p_value,
    more_p_value,
    pooled,
    share_p_value,
    stability_index,
)

NUMBERS = st.lists(
    st.floats(-1e6, 1e6).map(lambda one: round(one, 1)) | st.sampled_from([0.0, 1.0, -7.0]),
    min_size=3,
    max_size=60,
)


@given(before=NUMBERS, now=NUMBERS)
def test_the_distance_to_a_small_reference_is_scipys(before: list[float], now: list[float]) -> None:
    expected = stats.ks_2samp(before, now, method="asymp")
    distance = Distribution.of(np.sort(before)).distance(np.sort(now))
    assert distance == pytest.approx(expected.statistic, abs=1e-12)


def test_the_distance_to_a_large_reference_is_scipys_but_for_a_stratum() -> None:
    random = np.random.default_rng(0)
    for shift, ties in ((0.0, 12), (0.3, 12), (0.0, 1), (0.5, 0)):
        before = random.normal(size=30_000).round(ties)
        now = random.normal(shift, 1, 7_000).round(ties)
        expected = stats.ks_2samp(before, now, method="asymp")
        reference = Distribution.of(np.sort(before))
        distance = reference.distance(np.sort(now))
        assert len(reference.values) <= 500
        assert expected.statistic - 1 / 499 <= distance <= expected.statistic + 1e-12
    p_value = ks_p_value(0.02, 30_000, 7_000)
    assert p_value == pytest.approx(stats.kstwobign.sf(0.02 * np.sqrt(30_000 * 7 / 37)))


@pytest.mark.parametrize("columns", [2, 3, 6])
def test_the_test_of_categories_is_pearsons(columns: int) -> None:
    counts = np.random.default_rng(columns).integers(1, 300, (2, columns)).astype(np.float64)
    expected = stats.chi2_contingency(counts)
    assert chi_squared(counts) == pytest.approx(expected.pvalue, rel=1e-9)


def test_rare_categories_are_one() -> None:
    counts = np.array([[1_000.0, 500, 3, 2, 1], [100, 50, 0, 0, 1]])
    assert pooled(counts).tolist() == [[1_000, 500, 6], [100, 50, 1]]
    assert pooled(counts[:, :3]).tolist() == counts[:, :3].tolist()
    assert stability_index(counts[:, :2]) < 0.001
    assert stability_index(counts[::-1] * [[1], [0]]) > 1


@given(
    st.tuples(st.integers(0, 20), st.integers(40, 400)),
    st.tuples(st.integers(0, 20), st.integers(40, 400)),
)
def test_a_larger_share_is_never_more_significant_than_by_fishers_exact_test(
    before: tuple[int, int], now: tuple[int, int]
) -> None:
    table = np.array([[now[0], now[1] - now[0]], [before[0], before[1] - before[0]]])
    more = stats.fisher_exact(table, "greater").pvalue
    if more < 0.05:
        assert more_p_value(before, now) >= more * (1 - 1e-9)


def test_a_share_that_changed_is_significant_either_way() -> None:
    for before, now in (((10, 1_000), (400, 1_000)), ((990, 1_000), (400, 1_000))):
        assert share_p_value(before, now) < 1e-9
        assert share_p_value(now, before) < 1e-9
    assert share_p_value((100, 1_000), (101, 1_000)) > 0.5
    assert share_p_value((0, 1_000), (0, 500)) == 1
    assert share_p_value((1_000, 1_000), (500, 500)) == 1


@given(st.lists(st.floats(0, 1), max_size=30))
def test_adjusted_p_values_keep_their_order_and_reject_as_holm_does(values: list[float]) -> None:
    adjusted = holm(np.array(values))
    assert all(one >= value for one, value in zip(adjusted, values, strict=True))
    level, rejected = 0.05, set()
    for step, place in enumerate(np.argsort(values, kind="stable").tolist()):
        if values[place] * (len(values) - step) > level:
            break
        rejected.add(place)
    assert rejected == set(np.flatnonzero(adjusted <= level).tolist())
