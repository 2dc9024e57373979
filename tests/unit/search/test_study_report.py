"""The picture of a study."""

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
