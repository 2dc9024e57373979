"""Calibration makes probabilities mean what they say, and leaves the order of rows alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.training.calibration import (
    Calibration,
    cross_fitted,
    expected_error,
    fit_calibration,
)

METHODS = ("sigmoid", "isotonic")


def overconfident(rows: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True probabilities, scores that exaggerate them, and what happened."""
    random = np.random.default_rng(3)
    truth = random.uniform(0.02, 0.98, rows)
    odds = truth / (1 - truth)
    return truth, odds**3 / (1 + odds**3), (random.random(rows) < truth).astype(np.int64)


@pytest.mark.parametrize("method", METHODS)
def test_exaggerated_probabilities_come_back_to_the_truth(method: str) -> None:
    truth, scores, happened = overconfident()
    corrected = fit_calibration(method, scores, happened).apply(scores)
    assert np.abs(corrected - truth).mean() < 0.25 * np.abs(scores - truth).mean()
    assert expected_error(corrected, happened) < 0.3 * expected_error(scores, happened)


@pytest.mark.parametrize("method", METHODS)
def test_several_classes_still_add_up_to_one(method: str) -> None:
    random = np.random.default_rng(0)
    scores = random.dirichlet([1, 1, 1], 500)
    happened = np.array([random.choice(3, p=row) for row in scores])
    sharp = scores**3 / (scores**3).sum(axis=1, keepdims=True)
    corrected = fit_calibration(method, sharp, happened).apply(sharp)
    assert np.allclose(corrected.sum(axis=1), 1)
    assert expected_error(corrected, happened) < expected_error(sharp, happened)


@pytest.mark.parametrize("method", METHODS)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_the_order_of_rows_is_kept_and_nothing_becomes_certain(
    method: str, scores: list[float]
) -> None:
    _, fitted_on, happened = overconfident(300)
    corrected = fit_calibration(method, fitted_on, happened).apply(np.sort(np.array(scores)))
    assert (np.diff(corrected) >= -1e-12).all()
    assert (corrected > 0).all()
    assert (corrected < 1).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_calibration_reads_back_and_answers_to_the_last_bit(method: str) -> None:
    _, scores, happened = overconfident(500)
    one = fit_calibration(method, scores, happened)
    again = Calibration.from_dict(one.to_dict())
    assert again == one
    assert np.array_equal(again.apply(scores), one.apply(scores))


@pytest.mark.parametrize("method", METHODS)
def test_a_class_that_no_other_fold_has_leaves_the_scores_usable(method: str) -> None:
    scores = np.linspace(0.1, 0.9, 8)
    happened = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    folds = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    corrected = cross_fitted(method, scores, happened, folds)
    assert np.isfinite(corrected).all()


def test_no_row_judges_itself() -> None:
    _, scores, happened = overconfident(400)
    folds = np.arange(400) % 4
    corrected = cross_fitted("isotonic", scores, happened, folds)
    turned = happened.copy()
    turned[0] = 1 - turned[0]
    assert cross_fitted("isotonic", scores, turned, folds)[0] == corrected[0]
    assert not np.array_equal(cross_fitted("isotonic", scores, turned, folds), corrected)
