"""Estimate the quality of a calibrated classifier before labels arrive, by its own probabilities.

This is confidence-based performance estimation: if probabilities are right, labels can be drawn from them,
and what is measured on drawn labels is what will be measured on the true ones. It notices answers that have
become less certain; that the same features now mean something else, only labels show.
"""

import numpy as np

from lightmodel.contract.cells import Codes, Scores
from lightmodel.contract.results import Interval
from lightmodel.contract.task import Task
from lightmodel.training.metrics import measure_predictions

_DRAWS = 200
MAX_ROWS = 20_000


def estimate(task: Task, scores: Scores, decided: Codes, metric: str) -> Interval:
    """Return the expected value of a metric, and the range of 95 % of the values to be expected.

    Args:
        task: a classification task.
        scores: (rows,) or (rows, classes) calibrated probabilities.
        decided: (rows,) codes of the predictions.
        metric: its name.
    """
    step = max(1, -(-len(scores) // MAX_ROWS))
    scores, decided = scores[::step], decided[::step]
    random = np.random.default_rng(0)
    drawn = np.array(
        [
            measure_predictions(task, _labels(scores, random), scores, decided)[metric]
            for _ in range(_DRAWS)
        ]
    )
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return Interval(np.nan, np.nan, np.nan)
    low, high = np.quantile(known, [0.025, 0.975]).tolist()
    return Interval(float(known.mean()), low, high)


def _labels(scores: Scores, random: np.random.Generator) -> Scores:
    """Draw a label for each row from its probabilities."""
    chance = random.random(len(scores))
    if scores.ndim == 1:
        labels: Scores = (chance < scores).astype(np.float64)
        return labels
    upto = np.cumsum(scores, axis=1)
    upto /= upto[:, -1:]
    drawn: Scores = (chance[:, None] >= upto[:, :-1]).sum(axis=1).astype(np.float64)
    return drawn
