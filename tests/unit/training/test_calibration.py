"""Calibration corrects probabilities and keeps the order of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.training.calibration import (
    Calibration,
    cross_fit_calibration,
    expected_calibration_error,
    fit_calibration,
)

METHODS = ("sigmoid", "isotonic")


def overconfident(rows: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true probabilities, overconfident scores, and the observed classes."""
    random = np.random.default_rng(3)
    truth = random.uniform(0.02, 0.98, rows)
    odds = truth / (1 - truth)
    return truth, odds**3 / (1 + odds**3), (random.random(rows) < truth).astype(np.int64)


@pytest.mark.parametrize("method", METHODS)
def test_overconfident_probabilities_are_corrected(method: str) -> None:
    truth, scores, observed = overconfident()
    corrected = fit_calibration(method, scores, observed).apply(scores)
    assert np.abs(corrected - truth).mean() < 0.25 * np.abs(scores - truth).mean()
    assert expected_calibration_error(corrected, observed) < 0.3 * expected_calibration_error(
        scores, observed
    )


@pytest.mark.parametrize("method", METHODS)
def test_several_classes_still_add_up_to_one(method: str) -> None:
    random = np.random.default_rng(0)
    scores = random.dirichlet([1, 1, 1], 500)
    observed = np.array([random.choice(3, p=row) for row in scores])
    sharp = scores**3 / (scores**3).sum(axis=1, keepdims=True)
    corrected = fit_calibration(method, sharp, observed).apply(sharp)
    assert np.allclose(corrected.sum(axis=1), 1)
    assert expected_calibration_error(corrected, observed) < expected_calibration_error(
        sharp, observed
    )


@pytest.mark.parametrize("method", METHODS)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_the_order_is_kept_and_no_probability_is_0_or_1(method: str, scores: list[float]) -> None:
    _, fitted_on, observed = overconfident(300)
    corrected = fit_calibration(method, fitted_on, observed).apply(np.sort(np.array(scores)))
    assert (np.diff(corrected) >= -1e-12).all()
    assert (corrected > 0).all()
    assert (corrected < 1).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_restored_calibration_is_equal_to_the_last_bit(method: str) -> None:
    _, scores, observed = overconfident(500)
    one = fit_calibration(method, scores, observed)
    again = Calibration.from_dict(one.to_dict())
    assert again == one
    assert np.array_equal(again.apply(scores), one.apply(scores))


@pytest.mark.parametrize("method", METHODS)
def test_a_class_in_one_fold_only_yields_finite_scores(method: str) -> None:
    scores = np.linspace(0.1, 0.9, 8)
    observed = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    folds = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    corrected = cross_fit_calibration(method, scores, observed, folds)
    assert np.isfinite(corrected).all()


def test_a_row_is_not_calibrated_on_its_own_target() -> None:
    _, scores, observed = overconfident(400)
    folds = np.arange(400) % 4
    corrected = cross_fit_calibration("isotonic", scores, observed, folds)
    flipped = observed.copy()
    flipped[0] = 1 - flipped[0]
    assert cross_fit_calibration("isotonic", scores, flipped, folds)[0] == corrected[0]
    assert not np.array_equal(cross_fit_calibration("isotonic", scores, flipped, folds), corrected)
