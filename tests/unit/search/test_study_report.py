"""The picture of a study."""

import warnings

from lightmodel.contract.task import METRICS
from lightmodel.search.ranges import Range
from lightmodel.search.studies import Trial
from lightmodel.search.study_report import study_png


def test_a_picture_is_drawn_whatever_the_states_of_the_trials() -> None:
    ranges = (Range("num_leaves", 2, 64, is_int=True, log=True),)
    one = Trial(0, "complete", {"num_leaves": 4}, 0.8, (0.7, 0.8))
    failed = Trial(1, "failed", {"num_leaves": 9})
    pruned = Trial(2, "pruned", {"num_leaves": 60}, 0.5, (0.5,))
    for trials in ((), (failed,), (one,), (pruned,), (one, failed, pruned, one)):
        picture = study_png(trials, ranges, METRICS["auc"])
        assert picture.startswith(b"\x89PNG")


def test_the_layout_finds_room_for_all_panels() -> None:
    """Matplotlib warns, and lets panels overlap, where its layout fails."""
    ranges = [Range(f"parameter_{place}", 0.001, 10, is_int=False, log=True) for place in range(8)]
    trials = [
        Trial(number, "complete", {one.name: 0.01 * (number + 1) for one in ranges}, score, ())
        for number, score in enumerate((0.42, 0.42, 0.42, 0.72))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = study_png(trials, ranges, METRICS["auc"])
    assert picture.startswith(b"\x89PNG")
