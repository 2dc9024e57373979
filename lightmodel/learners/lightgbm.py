"""LightGBM: one binned table for all folds, one thread per fold, folds in parallel."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from lightmodel.contract.cells import Codes, Matrix, Scores
from lightmodel.contract.results import FoldFit, Importance
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError
from lightmodel.free_memory import release
from lightmodel.learners.base import TrainingData
from lightmodel.learners.binned_bytes import BinnedBytes, binned_from_bytes, bytes_of_binned
from lightmodel.learners.boosting import (
    Stopping,
    boost,
    fold_datasets,
    has_diverged,
)
from lightmodel.learners.constraints import with_positions
from lightmodel.learners.lean_lightgbm import lgb
from lightmodel.learners.lightgbm_parameters import STOPPING, checked_parameters
from lightmodel.learners.objectives import objective_parameters
from lightmodel.learners.tree_size import category_parameters, choose_parameters

logger = logging.getLogger(__name__)

# LightGBM has one number of threads for the whole process, which each of its calls sets. Trees with linear
# leaves keep memory for as many threads as there were when they were set up, and end the process when
# another call, such as the cut of the next fold, has raised it since. A model text names the number, too.
# Some trees depend on it; those of `_depends_on_threads` do not.
ONE_THREAD = 1
_MOST_FITS = 1_000  # at once: no limit
_BINS_BYTES = 640 << 20  # of the binned tables in memory: that of all rows, and one a fold
_BY_THREADS = ("linear_tree", "use_quantized_grad")
_RATE_STEP, _LOWEST_RATE = 0.25, 0.25**3  # of the learning rate, where training diverges


class LightGBMLearner:
    """Fits LightGBM; as many folds run in parallel as there are threads, but fewer of a large table."""

    name = "lightgbm"

    def __init__(
        self, parameters: Mapping[str, Any], seed: int, threads: int, *, keep_fold_models: bool
    ) -> None:
        """Store LightGBM's parameters under its names, plus max_rounds, patience and evaluate_every.

        Raises:
            ConfigError: a parameter is unknown, has no effect, or is decided by another setting.
        """
        self.parallel_folds = threads
        self._given = checked_parameters(parameters)
        self._seed = seed
        self._keep_fold_models = keep_fold_models

    def prepare(self, data: TrainingData) -> "LightGBMTrainer":
        """Bin the table once, and choose the parameters that the user left out."""
        stopping = {name: int(self._given.get(name, value)) for name, value in STOPPING.items()}
        parallel, threads = self._parallel_and_threads(data)
        fixed = {
            **objective_parameters(data.task),
            "metric": "None",
            "seed": self._seed,
            "deterministic": True,
            "force_col_wise": True,
            "feature_pre_filter": False,
            "verbosity": -1,
            "num_threads": threads,
        }
        if data.kind is TaskKind.MULTICLASS:
            fixed["num_class"] = data.classes
        if data.categorical:
            fixed |= category_parameters(len(data.target))
        named = {name: value for name, value in self._given.items() if name not in STOPPING}
        given = with_positions(named, data)
        try:
            dataset = _binned(data, {**fixed, **given})
            every = {**fixed, **given}
            chosen = choose_parameters(dataset, data.folds, every, given, self.parallel_folds)
        except lgb.basic.LightGBMError as error:
            raise ConfigError(f"LightGBM rejects train.parameters: {error}") from error
        release()  # LightGBM has sorted some 100,000 rows of each column
        return LightGBMTrainer(
            data,
            dataset,
            {**fixed, **chosen},
            Stopping(**stopping),
            self._keep_fold_models,
            1.0 if "learning_rate" in given else _LOWEST_RATE,
            fits=threading.Semaphore(parallel),
        )

    def _parallel_and_threads(self, data: TrainingData) -> tuple[int, int]:
        """Return how many folds are fitted in parallel, each on how many threads."""
        threads = self.parallel_folds
        if _depends_on_threads(self._given):
            return threads, ONE_THREAD
        tables = _BINS_BYTES // max(1, data.features.size)  # a byte a cell; one is that of all rows
        parallel = max(1, min(threads, tables - 1))
        return parallel, threads // parallel


def _depends_on_threads(parameters: Mapping[str, Any]) -> bool:
    """Return whether LightGBM fits other trees with another number of threads."""
    samples = {parameters.get(name) for name in ("boosting", "data_sample_strategy")}
    return "goss" in samples or any(parameters.get(name) for name in _BY_THREADS)


def _model_text(booster: lgb.Booster, parameters: Mapping[str, Any], rounds: int = -1) -> str:
    """Return the text of so many rounds, -1 for all, which does not depend on the number of threads."""
    text: str = booster.model_to_string(num_iteration=rounds)
    used = f"\n[num_threads: {parameters['num_threads']}]\n"
    return text.replace(used, f"\n[num_threads: {ONE_THREAD}]\n")


def _binned(data: TrainingData, parameters: Mapping[str, Any]) -> lgb.Dataset:
    """Return the binned features, under neutral names: LightGBM rejects some characters in names."""
    return lgb.Dataset(
        data.features,
        label=data.target,
        weight=data.fit_weights,
        feature_name=[f"f{position}" for position in range(len(data.names))],
        categorical_feature=list(data.categorical),
        params=dict(parameters),
        free_raw_data=True,
    ).construct()


@dataclass(frozen=True)
class LightGBMTrainer:
    """A binned table and the parameters in effect.

    Attributes:
        lowest_rate: the share of the learning rate at which a fit that diverges is given up.
        fits: lets only so many folds be fitted at once: each copies its rows.
    """

    data: TrainingData
    dataset: lgb.Dataset
    parameters: Mapping[str, Any]
    stopping: Stopping
    keep_fold_models: bool
    lowest_rate: float = 1.0
    fits: threading.Semaphore = field(default_factory=partial(threading.Semaphore, _MOST_FITS))
    cancelled: threading.Event = field(default_factory=threading.Event)
    _dataset_lock: threading.Lock = field(default_factory=threading.Lock)

    def __reduce__(self) -> tuple[Callable[..., "LightGBMTrainer"], tuple[Any, ...]]:
        """Return the binned table and the parameters: another process fits folds, and nothing else."""
        # that process has its own cores
        parameters = {**self.parameters, "num_threads": ONE_THREAD}
        fields = parameters, self.stopping, self.keep_fold_models, self.lowest_rate
        return _trainer_of, (self.data.without_rows(), bytes_of_binned(self.dataset), *fields)

    def describe(self) -> Mapping[str, Any]:
        """Return the parameters in effect, without those that do not influence the model."""
        ignored = {"num_threads", "metric", "verbosity"}
        named = {name: value for name, value in self.parameters.items() if name not in ignored}
        return {"estimator": "lightgbm", **named, **asdict(self.stopping)}

    def fit_fold(self, train: Codes, held_out: Codes) -> FoldFit:
        """Boost; the held-out scores are those of the best round.

        A fit that diverges is repeated at a lower learning rate, whose share the fold's model holds.
        """
        with self.fits:
            fit = self._fit_fold(train, held_out)
            release()  # the bins of the fold, of which the next one cannot use all
            return fit

    def _fit_fold(self, train: Codes, held_out: Codes) -> FoldFit:
        with self._dataset_lock:  # taking subsets of one table from several threads is not safe
            datasets = fold_datasets(self.dataset, train, held_out)
        share = 1.0
        boosted = boost(datasets, self._at(share), self.stopping, self.cancelled)
        while boosted.fit.diverged and share > self.lowest_rate:
            share = self._slower(share)
            boosted = boost(datasets, self._at(share), self.stopping, self.cancelled)
        model: dict[str, Any] = {} if share == 1 else {"rate_share": share}
        if self.keep_fold_models:
            model["texts"] = [_model_text(boosted.booster, self.parameters, boosted.fit.rounds)]
        return replace(boosted.fit, model=model)

    def _at(self, share: float) -> dict[str, Any]:
        """Return the parameters with a share of the learning rate."""
        rate = {} if share == 1 else {"learning_rate": self._rate(share)}
        return {**self.parameters, **rate}

    def _rate(self, share: float) -> float:
        return float(self.parameters["learning_rate"]) * share

    def _slower(self, share: float) -> float:
        """Return the next lower share of the learning rate, and log it."""
        slower = share * _RATE_STEP
        logger.warning(
            "training diverged at a learning rate of %g: it is repeated at %g",
            self._rate(share),
            self._rate(slower),
        )
        return slower

    def stop(self) -> None:
        """Cancel the folds that are being fitted at their next round."""
        self.cancelled.set()

    def refit(self, folds: Sequence[FoldFit]) -> "LightGBMModel":
        """Boost on all rows; the folds' mean number of rounds grows with the number of rows."""
        shares = [fold.model.get("rate_share", 1.0) for fold in folds]
        share = min(shares)
        needed = [fold.rounds * own / share for fold, own in zip(folds, shares, strict=True)]
        rounds = round(np.mean(needed) * len(folds) / (len(folds) - 1))
        booster = self._boost_all(share, rounds)
        while has_diverged(booster, self.parameters) and share > self.lowest_rate:
            share, rounds = self._slower(share), round(rounds / _RATE_STEP)
            booster = self._boost_all(share, rounds)
        return LightGBMModel((_model_text(booster, self.parameters),), self.data.names)

    def _boost_all(self, share: float, rounds: int) -> lgb.Booster:
        """Boost on all rows."""
        booster = lgb.Booster(self._at(share), self.dataset)
        for _ in range(rounds):
            if booster.update():
                break
        return booster

    def ensemble(self, folds: Sequence[FoldFit]) -> "LightGBMModel":
        """Combine the models of the folds; their scores are averaged."""
        texts = tuple(text for fold in folds for text in fold.model["texts"])
        return LightGBMModel(texts, self.data.names)


def _trainer_of(data: TrainingData, binned: BinnedBytes, *fields: Any) -> LightGBMTrainer:  # noqa: ANN401
    return LightGBMTrainer(data, binned_from_bytes(binned), *fields)


@dataclass(frozen=True)
class LightGBMModel:
    """One model text, or several whose scores are averaged; boosters are created when first needed."""

    texts: tuple[str, ...]
    names: tuple[str, ...]
    threads: int = 1

    @classmethod
    def from_payload(cls, payload: dict[str, Any], threads: int) -> "LightGBMModel":
        """Restore a model from its payload; it will score on `threads` threads."""
        return cls(tuple(payload["texts"]), tuple(payload["names"]), threads)

    @cached_property
    def _boosters(self) -> list[lgb.Booster]:
        return [lgb.Booster(model_str=text) for text in self.texts]

    def predict(self, features: Matrix) -> Scores:
        """Return the scores of (rows, features): (rows,) or (rows, classes)."""
        return self._mean(features)

    @cached_property
    def has_contributions(self) -> bool:
        """Whether LightGBM can explain it: there are no SHAP values of trees with linear leaves."""
        return not any("\nis_linear=1" in text for text in self.texts)

    def contributions(self, features: Matrix) -> Matrix:
        """Return the SHAP values of each feature on the raw score, averaged over the boosters.

        Returns:
            (rows, features + 1), the expected value in the last column; for a multiclass model, one
            such group of columns per class.
        """
        return self._mean(features, pred_contrib=True)

    def _mean(self, features: Matrix, *, pred_contrib: bool = False) -> Scores:
        outputs = [
            np.asarray(one.predict(features, num_threads=self.threads, pred_contrib=pred_contrib))
            for one in self._boosters
        ]
        mean: Scores = np.mean(outputs, axis=0) if len(outputs) > 1 else outputs[0]
        return mean

    def payload(self) -> dict[str, Any]:
        """Return the model texts and the feature names."""
        return {"texts": list(self.texts), "names": list(self.names)}

    def importance(self) -> tuple[Importance, ...]:
        """Return total gain and number of splits of each feature, averaged over the boosters."""
        gains, splits = (
            np.mean([one.feature_importance(kind) for one in self._boosters], axis=0)
            for kind in ("gain", "split")
        )
        return tuple(
            Importance(name, float(gain), float(split))
            for name, gain, split in zip(self.names, gains, splits, strict=True)
        )
