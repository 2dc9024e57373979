"""Finished folds are kept for a later run, whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

from lightmodel.contract.results import FoldFit
from lightmodel.store.codec import FoldCheckpoints

FIT = FoldFit(np.array([0.1, np.nan, 1 / 3]), 7, ((10.0, 0.5),), {"texts": ["tree"]})


def test_a_fold_comes_back_to_the_last_bit() -> None:
    checkpoints = FoldCheckpoints(Path("var/folds"))
    assert checkpoints.load(0) is None
    checkpoints.save(0, FIT)
    found = checkpoints.load(0)
    assert found is not None
    assert found.scores.tobytes() == FIT.scores.tobytes()
    assert (found.rounds, found.curve, found.model) == (FIT.rounds, FIT.curve, FIT.model)
    checkpoints.clear()
    assert checkpoints.load(0) is None


@pytest.mark.parametrize("cut", [0, 10, 40, -1])
def test_an_incomplete_checkpoint_is_ignored(cut: int) -> None:
    checkpoints = FoldCheckpoints(Path("var"))
    checkpoints.save(0, FIT)
    path = Path("var/fold-000.bin")
    path.write_bytes(path.read_bytes()[:cut])
    assert checkpoints.load(0) is None


def test_a_checkpoint_that_cannot_be_written_is_only_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Path("var").write_text("a file where a folder should be")
    FoldCheckpoints(Path("var")).save(0, FIT)
    assert "fold 1 cannot be written" in caplog.text
