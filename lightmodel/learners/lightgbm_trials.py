"""Trials of LightGBM: one binned table and one cut into folds for all of them, a thread for each."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import lightgbm as lgb

from lightmodel.contract.arrays import Codes
from lightmodel.contract.results import FoldFit
from lightmodel.errors import ConfigError
from lightmodel.learners.boosting import Stopping, boost
from lightmodel.learners.lightgbm import LightGBMTrainer
from lightmodel.learners.parameter_names import main_names
from lightmodel.learners.tree_size import suited

Rows = tuple[Codes, Codes]  # to fit, and to hold out


@dataclass(frozen=True)
class LightGBMTrials:
    """The folds of one table, cut once: LightGBM only reads them while it boosts.

    Attributes:
        trainer: holds the binned table and the parameters in force.
        parts: (to fit, held out) of each fold.
        given: names of the parameters that train.parameters names.
        stopping: of a trial's folds.
        at_once: folds that are fitted side by side, one thread each.
    """

    trainer: LightGBMTrainer
    parts: Sequence[tuple[lgb.Dataset, lgb.Dataset]]
    given: frozenset[str]
    stopping: Stopping
    at_once: int
    _given_up: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def cut(
        cls,
        trainer: LightGBMTrainer,
        given: Mapping[str, Any],
        folds: Sequence[Rows],
        stopping: Stopping,
        threads: int,
    ) -> "LightGBMTrials":
        """Cut the table into its folds; `given` is train.parameters."""
        parts = [
            (
                trainer.dataset.subset(fitted.tolist()).construct(),
                trainer.dataset.subset(held_out.tolist()).construct(),
            )
            for fitted, held_out in folds
        ]
        return cls(trainer, parts, frozenset(main_names(given)), stopping, threads)

    @property
    def settled(self) -> Mapping[str, Any]:
        """Give the parameters that training would use."""
        return self.trainer.parameters

    def fit_fold(self, parameters: Mapping[str, Any], fold: int) -> FoldFit:
        """Boost on one thread; no model is kept.

        Raises:
            CancelledError: `stop` was called.
            ConfigError: LightGBM refuses the parameters.
        """
        every = {
            **self.trainer.parameters,
            **self._suited_to(parameters),
            **parameters,
            "num_threads": 1,
        }
        fitted, held_out = self.parts[fold]
        try:
            boosted = boost(fitted, held_out, every, self.stopping, self._given_up)
        except lgb.basic.LightGBMError as error:
            raise ConfigError(f"LightGBM refuses {dict(parameters)}: {error}") from error
        return FoldFit(boosted.scores, boosted.rounds, boosted.curve, {})

    def _suited_to(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Give what training would choose to go with another size of tree."""
        if "num_leaves" not in parameters:
            return {}
        size, columns = int(parameters["num_leaves"]), self.trainer.dataset.num_feature()
        found = suited(size, columns)
        return {name: value for name, value in found.items() if name not in self.given}

    def stop(self) -> None:
        """Let folds under way end at their next round."""
        self._given_up.set()
