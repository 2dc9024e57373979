"""Trials of LightGBM's parameters on the folds of one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightmodel.contract.results import FoldFit
from lightmodel.errors import ConfigError
from lightmodel.learners.boosting import FoldDatasets, Stopping, boost
from lightmodel.learners.lean_lightgbm import lgb
from lightmodel.learners.lightgbm import ONE_THREAD, LightGBMTrainer
from lightmodel.learners.tree_size import parameters_for_size


@dataclass(frozen=True)
class LightGBMTrials:
    """The folds of one table, prepared once for all trials: LightGBM only reads them.

    Attributes:
        trainer: holds the binned table and the parameters in effect.
        folds: the two datasets of each fold.
        given: main names of the parameters that train.parameters sets.
        stopping: early stopping of a trial's folds.
        parallel: number of folds that are fitted in parallel, one thread each.
    """

    trainer: LightGBMTrainer
    folds: Sequence[FoldDatasets]
    given: frozenset[str]
    stopping: Stopping
    parallel: int

    def fit_fold(self, parameters: Mapping[str, Any], fold: int) -> FoldFit:
        """Fit one fold with a trial's parameters, on one thread; no model is kept.

        Raises:
            CancelledError: `stop` was called.
            ConfigError: LightGBM rejects the parameters.
        """
        trainer = self.trainer
        suited = {**self._for_size(parameters), "num_threads": ONE_THREAD}
        every = {**trainer.parameters, **suited, **parameters}
        try:
            return boost(self.folds[fold], every, self.stopping, trainer.cancelled).fit
        except lgb.basic.LightGBMError as error:
            raise ConfigError(f"LightGBM rejects {dict(parameters)}: {error}") from error

    def _for_size(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters that training would choose for the trial's tree size."""
        if "num_leaves" not in parameters:
            return {}
        suited = parameters_for_size(int(parameters["num_leaves"]), self.trainer.dataset)
        return {name: value for name, value in suited.items() if name not in self.given}

    def stop(self) -> None:
        """Cancel the folds that are being fitted at their next round."""
        self.trainer.stop()
