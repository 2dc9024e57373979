"""No prediction log."""

from lightmodel.predictions.log import AnsweredRows


class NoLog:
    """Forgets what it is told."""

    def record(self, rows: AnsweredRows) -> None:
        """Do nothing."""

    def close(self, timeout_s: float = 0.0) -> None:
        """Do nothing."""
