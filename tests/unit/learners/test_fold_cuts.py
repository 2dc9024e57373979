"""Folds: what each is fitted on and holds out, and neighbours merged."""

import numpy as np

from lightmodel.learners.base import Folds

NUMBERS = np.array([-1, 3, 0, 1, 2, 0])


def test_a_fold_is_fitted_on_all_others() -> None:
    fitted, held_out = Folds(NUMBERS).rows(0)
    assert (fitted.tolist(), held_out.tolist()) == ([0, 1, 3, 4], [2, 5])


def test_by_time_a_fold_is_fitted_on_earlier_rows() -> None:
    fitted, held_out = Folds(NUMBERS, by_time=True).rows(2)
    assert (fitted.tolist(), held_out.tolist()) == ([0, 2, 3, 5], [4])


def test_merged_folds_keep_their_order() -> None:
    merged = Folds(NUMBERS, by_time=True).merged(2)
    assert merged.numbers.tolist() == [-1, 1, 0, 0, 1, 0]
    assert merged.by_time
    assert merged.count == 2


def test_as_many_folds_as_there_are_stay() -> None:
    assert Folds(NUMBERS).merged(9).numbers.tolist() == NUMBERS.tolist()
