"""Pictures of results. The only folder that imports matplotlib, so import it late.

Every chart function gives None when there is nothing to draw.
"""

from lightmodel.contract.results import Evaluation
from lightmodel.report.plots.answers import confusion, predicted_actual, residuals
from lightmodel.report.plots.canvas import Chart
from lightmodel.report.plots.curves import (
    calibration,
    decision,
    precision_recall,
    roc,
    score_histogram,
)
from lightmodel.report.plots.training import folds, importance_png, learning

__all__ = [
    "Chart",
    "calibration",
    "confusion",
    "decision",
    "evaluation_charts",
    "folds",
    "importance_png",
    "learning",
    "precision_recall",
    "predicted_actual",
    "residuals",
    "roc",
    "score_histogram",
]
_OF_EVALUATION = (
    roc, precision_recall, calibration, score_histogram, decision, confusion,
    predicted_actual, residuals,
)  # fmt: skip


def evaluation_charts(evaluation: Evaluation) -> tuple[Chart, ...]:
    """Draw all charts that `evaluation` has data for, in the order to show them."""
    drawn = (draw(evaluation) for draw in _OF_EVALUATION)
    return tuple(chart for chart in drawn if chart is not None)
