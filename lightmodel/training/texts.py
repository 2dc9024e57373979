"""Score texts by hashed n-grams: linear models, fitted out of fold, whose scores are features.

Scoring needs NumPy only. Weights are whole numbers, whose sums are exact: a text has the same score
to the last bit, whatever texts are scored with it, and on every machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lightmodel.contract.cells import Matrix, Vector
from lightmodel.training.ngrams import chunks

_LARGEST = 32_767  # of int16


@dataclass(frozen=True)
class TextModel:
    """The linear models of one text column.

    Attributes:
        labels: of the classes that the scores are for; () for a single score.
        weights: (scores, buckets) in units of `scales`.
        scales: (scores,) float64.
        intercepts: (scores,) float64.
    """

    labels: tuple[str, ...]
    weights: npt.NDArray[np.int16]
    scales: Vector
    intercepts: Vector

    @classmethod
    def of(cls, labels: tuple[str, ...], weights: Matrix, intercepts: Vector) -> "TextModel":
        """Return the model of (scores, buckets) weights, rounded to whole numbers."""
        largest = np.abs(weights).max(axis=1)
        scales = np.where(largest > 0, largest, 1.0) / _LARGEST
        rounded = np.rint(weights / scales[:, None]).astype(np.int16)
        return cls(labels, rounded, scales, intercepts)

    @property
    def width(self) -> int:
        """The number of scores of a text."""
        return len(self.weights)

    @property
    def bits(self) -> int:
        """The number of bits of a bucket."""
        return int(self.weights.shape[1]).bit_length() - 1

    def names(self, column: str) -> tuple[str, ...]:
        """Return the names of the scores of a column."""
        if not self.labels:
            return (f"{column} (text)",)
        return tuple(f"{column} (text: {label})" for label in self.labels)

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Return (texts, scores): the intercept and the weights of a text's n-grams, by their root."""
        scores = np.empty((len(texts), self.width))
        for start, hashed in chunks(texts):
            spans = hashed.spans(self.bits)
            sums, roots = np.zeros(len(spans.buckets) + 1, np.int64), np.sqrt(spans.counts)
            for at, weights in enumerate(self.weights):
                np.cumsum(weights[spans.buckets], out=sums[1:])
                totals = (sums[spans.end] - sums[spans.first]).sum(axis=0)
                scores[start : start + len(hashed), at] = totals / roots
        return scores * self.scales + self.intercepts

    def payload(self) -> dict[str, Any]:
        """Return the content for the bundle."""
        return {
            "labels": list(self.labels),
            "weights": self.weights,
            "scales": self.scales,
            "intercepts": self.intercepts,
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> "TextModel":
        """Restore a model from what `payload` returned."""
        arrays = (payload[name] for name in ("weights", "scales", "intercepts"))
        return cls(tuple(payload["labels"]), *arrays)
