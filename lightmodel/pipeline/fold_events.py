"""Events of folds in the log of a run, for those who watch it."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # with it comes NumPy
    from lightmodel.contract.results import FoldFit

logger = logging.getLogger(__name__)

_CURVE_POINTS = 40


def log_fold(fit: "FoldFit", fold: int, folds: int) -> None:
    """Log a fold that has ended, with its curve."""
    step = -(-len(fit.curve) // _CURVE_POINTS) or 1
    points = [*fit.curve[:-1:step], *fit.curve[-1:]]
    facts = {
        "event": "fold ended",
        "fold": fold + 1,
        "folds": folds,
        "rounds": fit.rounds,
        "curve": [[point[0], float(f"{point[1]:.6g}")] for point in points],
    }
    logger.info("fold %d of %d: %d rounds", fold + 1, folds, fit.rounds, extra=facts)
