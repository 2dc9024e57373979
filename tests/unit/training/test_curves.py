"""The curves of a report."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve, roc_curve

from lightmodel.contract.task import TaskKind
from lightmodel.training.curves import DRAWN_POINTS, draw_curves, precision_recall, roc

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=60).filter(
    lambda rows: len({positive for positive, _ in rows}) == 2
)


@given(ROWS)
def test_they_are_those_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    target = np.array([positive for positive, _ in rows]).astype(np.int64)
    scores = np.array([score for _, score in rows]) / 20
    precision, recall, _ = precision_recall_curve(target, scores)
    found = precision_recall(target, scores)
    np.testing.assert_array_equal(found[0], recall)
    np.testing.assert_array_equal(found[1], precision)
    every = list(zip(*roc_curve(target, scores, drop_intermediate=False)[:2], strict=True))
    x, y = roc(target, scores)
    corners = list(zip(x, y, strict=True))
    assert set(corners) <= set(every)
    assert (corners[0], corners[-1]) == ((0, 0), (1, 1))
    area = np.trapezoid(*roc_curve(target, scores)[1::-1])
    assert np.isclose(np.trapezoid(y, x), area)


def test_weights_count_as_in_scikit_learn() -> None:
    random = np.random.default_rng(0)
    scores, weights = random.integers(0, 9, 80) / 9, random.uniform(0.5, 2, 80)
    target = (random.random(80) < scores).astype(np.int64)
    expected = precision_recall_curve(target, scores, sample_weight=weights)
    found = precision_recall(target, scores, weights)
    np.testing.assert_allclose(found, expected[1::-1])
    every = roc_curve(target, scores, sample_weight=weights, drop_intermediate=False)
    np.testing.assert_allclose(roc(target, scores, weights), every[:2])


def test_of_many_rows_some_points_are_kept() -> None:
    random = np.random.default_rng(0)
    scores = random.random(5_000)
    target = (random.random(5_000) < scores).astype(np.float64)
    found = draw_curves(TaskKind.BINARY, target, scores, 0.5, None)
    assert 200 < len(found.roc) <= DRAWN_POINTS
    assert len(found.precision_recall) == DRAWN_POINTS
    assert (found.roc[0], found.roc[-1]) == ((0, 0), (1, 1))
    assert found.precision_recall[-1] == (0, 1)


def test_of_one_class_alone_there_is_no_curve() -> None:
    found = draw_curves(TaskKind.BINARY, np.ones(5), np.linspace(0, 1, 5), 0.5, None)
    assert (found.roc, found.precision_recall) == ((), ())
    assert sum(found.calibration_rows) == 5
