"""Spread the folds of any learner over the workers of a cluster; all else is done here."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lightmodel.cluster.client import Cluster, Shared
from lightmodel.cluster.worker import SharedValue, as_pickled
from lightmodel.contract.cells import Codes
from lightmodel.contract.results import FoldFit
from lightmodel.learners.base import FittedModel, Learner, Trainer, TrainingData
from lightmodel.store.user_code import UserCode, execute

_MOST_FOLDS = 100  # as train.folds


@dataclass(frozen=True)
class _Work:
    """What a worker needs for all folds.

    Attributes:
        code: name and source of the user's module, which the trainer may refer to.
        trainer: pickled, since it can be unpickled only after the module was executed.
    """

    code: tuple[str, bytes] | None
    trainer: SharedValue

    def unpickled(self) -> Trainer:
        """Return the trainer, the same one each time."""
        if self.code:
            execute(*self.code)
        trainer: Trainer = self.trainer.value()
        return trainer


class SpreadLearner:
    """A learner whose folds are fitted by the workers of a cluster, with the same results."""

    def __init__(self, learner: Learner, cluster: Cluster, code: UserCode | None) -> None:
        self.name = learner.name
        self.parallel_folds = _MOST_FOLDS  # they only wait here
        self._learner, self._cluster, self._code = learner, cluster, code

    def prepare(self, data: TrainingData) -> "SpreadTrainer":
        """Prepare the table here, and let the workers have it."""
        trainer = self._learner.prepare(data)
        code = (self._code.file, self._code.source) if self._code else None
        work = _Work(code, SharedValue(as_pickled(trainer)))
        return SpreadTrainer(trainer, self._cluster, self._cluster.share(work), len(data.target))


@dataclass(frozen=True)
class SpreadTrainer:
    """A trainer whose folds are fitted by the workers of a cluster.

    Attributes:
        trainer: of this process, which fits the final model.
        rows: number of training rows.
    """

    trainer: Trainer
    cluster: Cluster
    work: Shared
    rows: int
    stopped: threading.Event = field(default_factory=threading.Event)

    def describe(self) -> Mapping[str, Any]:
        """Return the parameters in effect."""
        return self.trainer.describe()

    def fit_fold(self, train: Codes, held_out: Codes) -> FoldFit:
        """Fit a fold on some worker; see `Cluster.call` for what may go wrong."""
        packed = _packed(train, self.rows), _packed(held_out, self.rows)
        return self.cluster.call(_fit_fold, *packed, shared=self.work, stop=self.stopped)

    def stop(self) -> None:
        """Cancel the folds that are waited for."""
        self.stopped.set()

    def refit(self, folds: Sequence[FoldFit]) -> FittedModel:
        """Fit the final model, in this process."""
        return self.trainer.refit(folds)

    def ensemble(self, folds: Sequence[FoldFit]) -> FittedModel:
        """Combine the models of the folds."""
        return self.trainer.ensemble(folds)


def _fit_fold(work: _Work, train: bytes, held_out: bytes) -> FoldFit:
    """Fit a fold, on a worker."""
    return work.unpickled().fit_fold(_unpacked(train), _unpacked(held_out))


def _packed(rows: Codes, count: int) -> bytes:
    """Return ascending numbers of rows, of which there are `count`, as one bit for each row."""
    mask = np.zeros(count, dtype=np.bool_)
    mask[rows] = True
    return np.packbits(mask).tobytes()


def _unpacked(packed: bytes) -> Codes:
    """Return the numbers of the rows."""
    return np.flatnonzero(np.unpackbits(np.frombuffer(packed, np.uint8)))
