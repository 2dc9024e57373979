"""The picture of a study."""

from lightmodel.contract.task import METRICS
from lightmodel.search.ranges import Range
from lightmodel.search.studies import Trial
from lightmodel.search.study_report import study_png


def test_a_picture_is_drawn_whatever_a_study_holds() -> None:
    ranges = (Range("num_leaves", 2, 64, whole=True, log=True),)
    one = Trial(0, "complete", {"num_leaves": 4}, 0.8, (0.7, 0.8))
    lost = Trial(1, "failed", {"num_leaves": 9})
    early = Trial(2, "pruned", {"num_leaves": 60}, 0.5, (0.5,))
    for trials in ((), (lost,), (one,), (early,), (one, lost, early, one)):
        picture = study_png(trials, ranges, METRICS["auc"])
        assert picture.startswith(b"\x89PNG")
