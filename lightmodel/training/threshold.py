"""Choose the score from which on a row counts as positive."""

import numpy as np

from lightmodel.config import TrainSection
from lightmodel.contract.cells import Codes, Scores


def choose_threshold(target: Codes, scores: Scores, section: TrainSection) -> float:
    """Choose on out-of-fold scores by `train.threshold`: 0.5, f1, youden or cost.

    Args:
        target: (rows,) 0 or 1.
        scores: (rows,) probabilities of 1.
        section: of the configuration.
    """
    if section.threshold == "0.5":
        return 0.5
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))  # a threshold cuts between scores only
    hits = np.cumsum(target[order])[last].astype(float)
    false_alarms = last + 1 - hits
    positives, negatives = hits[-1], false_alarms[-1]
    if section.threshold == "f1":
        merit = 2 * hits / (hits + false_alarms + positives)
    elif section.threshold == "youden":
        merit = hits / positives - false_alarms / negatives
    else:
        missed = positives - hits
        merit = -(section.cost_false_positive * false_alarms + section.cost_false_negative * missed)
        if merit.max() <= -section.cost_false_negative * positives:
            return 1.0  # cheapest is to call nothing positive
    best = int(np.argmax(merit))
    return _between(ranked[last], best)


def _between(scores: Scores, at: int) -> float:
    """Cut half way to the next lower score, so that rounding cannot move a row across."""
    if at + 1 >= len(scores):
        return float(scores[at])
    return float((scores[at] + scores[at + 1]) / 2)
