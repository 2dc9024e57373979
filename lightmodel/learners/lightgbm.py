"""LightGBM: one binned table for all folds, one thread for each fold, folds side by side."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import lightgbm as lgb
import numpy as np

from lightmodel.contract.cells import Codes, Matrix, Scores
from lightmodel.contract.results import FoldFit, Importance
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError
from lightmodel.learners.base import TrainingData
from lightmodel.learners.boosting import (
    Part,
    Stopping,
    boost,
    choose_parameters,
    cut,
    suited,
)

_OBJECTIVES = {
    TaskKind.BINARY: "binary",
    TaskKind.MULTICLASS: "multiclass",
    TaskKind.REGRESSION: "regression",
}
_OURS = {"max_rounds": 20_000, "patience": 100, "evaluate_every": 10}
_FIXED = {"objective", "metric", "num_class", "num_threads", "seed", "deterministic", "verbosity"}


class LightGBMLearner:
    """Fits LightGBM; folds run side by side, as many as there are threads."""

    name = "lightgbm"

    def __init__(
        self, parameters: Mapping[str, Any], seed: int, threads: int, *, keep_fold_models: bool
    ) -> None:
        """Take LightGBM's parameters by its own names, plus max_rounds, patience, evaluate_every.

        Raises:
            ConfigError: a parameter belongs to the project and not to the user.
        """
        if clash := sorted(_FIXED & set(parameters)):
            raise ConfigError(
                f"train.parameters may not set {', '.join(clash)}",
                hint="the task, train.seed and train.threads decide on these",
            )
        self.folds_at_once = threads
        self._given = dict(parameters)
        self._seed = seed
        self._threads = threads
        self._keep_fold_models = keep_fold_models

    def prepare(self, data: TrainingData) -> "LightGBMTrainer":
        """Bin the table once and choose what was not given."""
        ours = {name: int(self._given.get(name, value)) for name, value in _OURS.items()}
        fixed = {
            "objective": _OBJECTIVES[data.kind],
            "metric": "None",
            "seed": self._seed,
            "deterministic": True,
            "force_col_wise": True,
            "feature_pre_filter": False,
            "verbosity": -1,
            "num_threads": self._threads,
        }
        if data.kind is TaskKind.MULTICLASS:
            fixed["num_class"] = data.classes
        given = {name: value for name, value in self._given.items() if name not in _OURS}
        try:
            dataset = _binned(data, {**fixed, **given})
            chosen = choose_parameters(dataset, {**fixed, **given}, given)
        except lgb.basic.LightGBMError as error:
            raise ConfigError(f"LightGBM refuses train.parameters: {error}") from error
        settled, stopping = {**fixed, **chosen}, Stopping(**ours)
        return LightGBMTrainer(data, dataset, settled, stopping, self._keep_fold_models)


def _binned(data: TrainingData, parameters: Mapping[str, Any]) -> lgb.Dataset:
    """Bin the features; they get neutral names, since LightGBM refuses some characters in names."""
    return lgb.Dataset(
        data.features,
        label=data.target,
        feature_name=[f"f{at}" for at in range(len(data.names))],
        categorical_feature=list(data.categorical),
        params=dict(parameters),
        free_raw_data=True,
    ).construct()


@dataclass(frozen=True)
class LightGBMTrainer:
    """A binned table, and the parameters in force."""

    data: TrainingData
    dataset: lgb.Dataset
    parameters: Mapping[str, Any]
    stopping: Stopping
    keep_fold_models: bool
    given_up: threading.Event = field(default_factory=threading.Event)
    _cutting: threading.Lock = field(default_factory=threading.Lock)

    def describe(self) -> Mapping[str, Any]:
        """Return the parameters in force, but for those that decide on nothing."""
        idle = {"num_threads", "metric", "verbosity"}
        settled = {name: value for name, value in self.parameters.items() if name not in idle}
        return {"estimator": "lightgbm", **settled, **asdict(self.stopping)}

    def fit_fold(self, train: Codes, held_out: Codes) -> FoldFit:
        """Boost on one thread; the held-out scores are those of the best round."""
        with self._cutting:  # cutting one table from several threads at once is not safe
            part = cut(self.dataset, train, held_out)
        parameters = {**self.parameters, "num_threads": 1}
        boosted = boost(part, parameters, self.stopping, self.given_up)
        if not self.keep_fold_models:
            return boosted.fit
        text = boosted.booster.model_to_string(num_iteration=boosted.fit.rounds)
        return replace(boosted.fit, model={"texts": [text]})

    def stop(self) -> None:
        """Let folds under way end at their next round."""
        self.given_up.set()

    def refit(self, folds: Sequence[FoldFit]) -> "LightGBMModel":
        """Boost on all rows, for as many more rounds as there are more rows than in a fold."""
        rounds = round(np.mean([fold.rounds for fold in folds]) * len(folds) / (len(folds) - 1))
        # One thread: their number stands in the model's text, and must not change its bytes.
        booster = lgb.Booster({**self.parameters, "num_threads": 1}, self.dataset)
        for _ in range(rounds):
            if booster.update():
                break
        return LightGBMModel((booster.model_to_string(),), self.data.names)

    def ensemble(self, folds: Sequence[FoldFit]) -> "LightGBMModel":
        """Average the folds' models."""
        texts = tuple(text for fold in folds for text in fold.model["texts"])
        return LightGBMModel(texts, self.data.names)


@dataclass(frozen=True)
class LightGBMModel:
    """One model text, or several whose scores are averaged; boosters are built when first needed."""

    texts: tuple[str, ...]
    names: tuple[str, ...]
    threads: int = 1

    @classmethod
    def from_payload(cls, payload: dict[str, Any], threads: int) -> "LightGBMModel":
        """Build a model from what `payload` gave; it scores on so many threads."""
        return cls(tuple(payload["texts"]), tuple(payload["names"]), threads)

    @cached_property
    def _boosters(self) -> list[lgb.Booster]:
        return [lgb.Booster(model_str=text) for text in self.texts]

    def predict(self, features: Matrix) -> Scores:
        """Score rows."""
        return self._mean(features)

    def contributions(self, features: Matrix) -> Matrix:
        """Return what each feature adds to the raw score, by SHAP; averaged over the boosters.

        Returns:
            (rows, features + 1), the last being what every row starts from; side by side for
            each class of a multiclass model.
        """
        return self._mean(features, pred_contrib=True)

    def _mean(self, features: Matrix, *, pred_contrib: bool = False) -> Scores:
        every = [
            np.asarray(one.predict(features, num_threads=self.threads, pred_contrib=pred_contrib))
            for one in self._boosters
        ]
        mean: Scores = np.mean(every, axis=0) if len(every) > 1 else every[0]
        return mean

    def payload(self) -> dict[str, Any]:
        """Return model texts and feature names."""
        return {"texts": list(self.texts), "names": list(self.names)}

    def importance(self) -> tuple[Importance, ...]:
        """Return total gain and number of splits, averaged over the boosters."""
        gains, splits = (
            np.mean([one.feature_importance(kind) for one in self._boosters], axis=0)
            for kind in ("gain", "split")
        )
        return tuple(
            Importance(name, float(gain), float(split))
            for name, gain, split in zip(self.names, gains, splits, strict=True)
        )


@dataclass(frozen=True)
class LightGBMTrials:
    """The folds of one table, cut once: LightGBM only reads them while it boosts.

    Attributes:
        trainer: holds the binned table and the parameters in force.
        parts: (to fit, held out) of each fold.
        given: main names of the parameters that train.parameters names.
        stopping: of a trial's folds.
        at_once: folds that are fitted side by side, one thread each.
    """

    trainer: LightGBMTrainer
    parts: Sequence[Part]
    given: frozenset[str]
    stopping: Stopping
    at_once: int

    def fit_fold(self, parameters: Mapping[str, Any], fold: int) -> FoldFit:
        """Boost on one thread; no model is kept.

        Raises:
            CancelledError: `stop` was called.
            ConfigError: LightGBM refuses the parameters.
        """
        trainer = self.trainer
        every = {**trainer.parameters, **self._suited_to(parameters), **parameters}
        every["num_threads"] = 1
        try:
            return boost(self.parts[fold], every, self.stopping, trainer.given_up).fit
        except lgb.basic.LightGBMError as error:
            raise ConfigError(f"LightGBM refuses {dict(parameters)}: {error}") from error

    def _suited_to(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what training would choose to go with another size of tree."""
        if "num_leaves" not in parameters:
            return {}
        found = suited(int(parameters["num_leaves"]), self.trainer.dataset.num_feature())
        return {name: value for name, value in found.items() if name not in self.given}

    def stop(self) -> None:
        """Let folds under way end at their next round."""
        self.trainer.stop()
