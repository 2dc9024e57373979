"""The port through which answered rows reach the prediction log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy.typing as npt

Values = Sequence[Any] | npt.NDArray[Any]


@dataclass(frozen=True)
class AnsweredRows:
    """The rows of one answered request, in their order. Nobody changes them afterwards.

    Attributes:
        request: its id, unique.
        time: of the answer, UTC.
        version: of the model that answered.
        ids: of the rows, as they came; None when the table has no id column.
        predictions: labels in their training type, or numbers.
        probabilities: of the positive class, or {label: p} per row; None for regression.
        features: name → values as they came (None where missing); None when not to be logged.
    """

    request: str
    time: datetime
    version: str
    ids: Values | None
    predictions: Values
    probabilities: Values | None
    features: Mapping[str, Values] | None = None


class PredictionLog(Protocol):
    """Takes answered rows behind the answer. It never raises, and it never waits for a sink."""

    def record(self, rows: AnsweredRows) -> None:
        """Keep the rows of one request, or a sample of them."""
        ...
