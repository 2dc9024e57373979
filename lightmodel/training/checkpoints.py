"""Remembering finished folds, so that a killed training goes on where it was."""

from typing import Protocol

from lightmodel.contract.results import FoldFit


class Checkpoints(Protocol):
    """Finished folds of one training, by number from 0.

    `load` gives back exactly what `save` took, or None; half a checkpoint reads as None. A failing
    `save` costs the resumption, never the training: it logs a warning.
    """

    def load(self, fold: int) -> FoldFit | None:
        """Give a finished fold, if it is there."""
        ...

    def save(self, fold: int, fit: FoldFit) -> None:
        """Keep a finished fold."""
        ...

    def clear(self) -> None:
        """Forget all folds, once the model is published."""
        ...
