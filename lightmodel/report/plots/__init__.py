"""Draw charts of results. Only this folder imports matplotlib, which is slow: import it late.

Every chart function returns None if there is nothing to draw.
"""

from lightmodel.contract.results import Evaluation
from lightmodel.report.plots import answers, curves
from lightmodel.report.plots.canvas import Chart

_OF_EVALUATION = (
    curves.roc, curves.precision_recall, curves.calibration, curves.score_histogram,
    curves.decision, answers.confusion, answers.predicted_actual, answers.residuals,
)  # fmt: skip


def evaluation_charts(evaluation: Evaluation) -> tuple[Chart, ...]:
    """Draw all charts that `evaluation` has data for, in the order to show them."""
    drawn = (draw(evaluation) for draw in _OF_EVALUATION)
    return tuple(chart for chart in drawn if chart is not None)
