"""Spread the trials of a study over the workers of a cluster, with the values of the local ones."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lightmodel.cluster.client import Cluster, Shared
from lightmodel.contract.results import FoldFit
from lightmodel.learners.base import Folds
from lightmodel.learners.lightgbm_trials import LightGBMTrials
from lightmodel.search.trials import trials_of


@dataclass(frozen=True)
class _Sent:
    """Trials that leave their folds behind: a worker cuts the table again when it unpickles them."""

    trials: LightGBMTrials
    folds: Folds

    def __reduce__(self) -> tuple[Callable[..., LightGBMTrials], tuple[Any, ...]]:
        one = self.trials
        return trials_of, (one.trainer, self.folds, one.given, one.stopping, one.parallel)


@dataclass(frozen=True)
class SpreadTrials:
    """The folds of one table for all trials, fitted by the workers of a cluster."""

    cluster: Cluster
    work: Shared
    stopped: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, trials: LightGBMTrials, folds: Folds, cluster: Cluster) -> "SpreadTrials":
        """Return prepared trials as ones that workers fit."""
        return cls(cluster, cluster.share(_Sent(trials, folds)))

    @property
    def parallel(self) -> int:
        """The number of threads of all workers."""
        return self.cluster.threads

    def fit_fold(self, parameters: Mapping[str, Any], fold: int) -> FoldFit:
        """Fit one fold of a trial on some worker; see `Cluster.call` for what may go wrong."""
        call = self.cluster.call
        return call(_fit_fold, dict(parameters), fold, shared=self.work, stop=self.stopped)

    def stop(self) -> None:
        """Cancel the folds that are waited for."""
        self.stopped.set()


def _fit_fold(trials: LightGBMTrials, parameters: Mapping[str, Any], fold: int) -> FoldFit:
    """Fit a fold, on a worker."""
    return trials.fit_fold(parameters, fold)
