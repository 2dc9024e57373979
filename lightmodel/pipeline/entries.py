"""One contender of a comparison, trained as the chain would train it, into a store of comparisons.

That store lies in store.work. Nothing of it is served or judged by the gate, and what was trained for
an earlier comparison of the same table and settings is used again.
"""

import io
import json
import math
import shutil
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lightmodel.config import TrainSection
from lightmodel.contract.arrays import Codes, Scores
from lightmodel.contract.results import FoldFit
from lightmodel.errors import ArtefactMissing
from lightmodel.learners.base import FittedModel, Learner, Trainer, TrainingData
from lightmodel.pipeline.context import Reuse, Workshop, find_reusable, read_side
from lightmodel.pipeline.reuse import model_key
from lightmodel.pipeline.testing import candidate_of
from lightmodel.pipeline.train import train_or_reuse
from lightmodel.search.entries import Contender, Showing
from lightmodel.store import codec
from lightmodel.store.files import told, write_whole
from lightmodel.store.versions import Store, Version
from lightmodel.tables.encode import feature_matrix

TIMED_ROWS, TIMED_TIMES = 1_000, 3
MOST_NOTES = 2


def contest_store(workshop: Workshop) -> Store:
    """Give the store of the models that comparisons trained."""
    folder = workshop.config.store.work / "comparisons" / "models"
    return Store(folder, "model", workshop.signer)


def enter(workshop: Workshop, split: str, contender: Contender) -> str:
    """Train a contender on a split, or find that it was; gives the version of its model.

    Args:
        workshop: as for the chain.
        split: version.
        contender: to train.
    """
    models = contest_store(workshop)
    version = workshop.splits.get(split)
    shop = _shop_of(workshop, models, contender)
    key = model_key(shop.config, version)
    found = find_reusable(models, key, lambda one: _scores_of(models, one.name).exists()).version
    return found.name if found and not workshop.force else _train(shop, models, version)


def _shop_of(workshop: Workshop, models: Store, contender: Contender) -> Workshop:
    own = {
        "estimator": contender.estimator,
        "parameters": dict(contender.parameters),
        "compile": "never",
    }
    train = workshop.config.train.model_copy(update=own)
    config = workshop.config.model_copy(update={"train": train})
    return replace(
        workshop,
        config=config,
        models=models,
        compiled=lambda _runtime, _payload: {},
        checkpoints=lambda _key: _Nothing(),
    )


def _train(shop: Workshop, models: Store, split: Version) -> str:
    watch = _Watch()

    def watched(section: TrainSection) -> Learner:
        learner = shop.learner(section)
        return _TimedLearner(learner, watch, learner.name)

    timed = replace(shop, learner=watched)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("default")
        name = train_or_reuse(timed, split, Reuse(None, "compared")).version
    version = models.get(name)
    kept = io.BytesIO()
    np.savez(
        kept,
        scores=watch.scores,
        fit_seconds=watch.seconds,
        row_seconds=_row_seconds(shop, split, version),
        notes=np.array(_notes(heard), dtype=np.str_),
    )
    path = _scores_of(models, name)
    with told(path):
        path.parent.mkdir(exist_ok=True)
    write_whole(path, kept.getvalue())
    return name


def _row_seconds(shop: Workshop, split: Version, version: Version) -> float:
    """Time the model as it comes out of its bundle; the best of a few tries, in seconds a row."""
    candidate = candidate_of(shop, version)
    rows = read_side(shop, split, "train", candidate.contract).slice(0, TIMED_ROWS)
    features = feature_matrix(rows, candidate.contract)
    candidate.predict(features)
    seconds = []
    for _ in range(TIMED_TIMES):
        started = time.perf_counter()
        candidate.predict(features)
        seconds.append(time.perf_counter() - started)
    return min(seconds) / len(features)


def _notes(heard: Sequence[warnings.WarningMessage]) -> list[str]:
    """Give the first sentence of each thing that was warned of, once; what will change is no news."""
    coming = (FutureWarning, DeprecationWarning, PendingDeprecationWarning)
    of_now = [one for one in heard if not issubclass(one.category, coming)]
    said = [" ".join(str(one.message).split()).partition(". ")[0] for one in of_now]
    return list(dict.fromkeys(said))[:MOST_NOTES]


def showing_of(models: Store, contender: Contender, name: str) -> Showing:
    """Read back what a contender showed.

    Raises:
        ArtefactMissing: it was removed meanwhile.
        ArtefactCorrupt: it is not what was written.
    """
    version = models.get(name)
    findings = json.loads(version.read("metrics.json"))
    with np.load(io.BytesIO(_read(_scores_of(models, name))), allow_pickle=False) as kept:
        return Showing(
            contender.name,
            contender.estimator,
            contender.parameters,
            kept["scores"],
            tuple(_defined(fold["metrics"]) for fold in findings["folds"]),
            _defined(findings["out_of_fold"]),
            float(kept["fit_seconds"]),
            float(kept["row_seconds"]),
            version.manifest.files[codec.MODEL].size,
            tuple(str(note) for note in kept["notes"]),
            (name,),
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtefactMissing(f"{path.name} is gone from the comparisons in store.work") from error


def _defined(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in metrics.items()}


def _scores_of(models: Store, name: str) -> Path:
    return models.folder.parent / "scores" / f"{name}.npz"


def forget_others(models: Store, split: Version) -> None:
    """Remove the models of comparisons on other splits, and what a killed one left."""
    of_split = {
        version.name
        for version in models.versions()
        if version.manifest.inputs["split"] == split.name
    }
    for name in models.names():
        if name not in of_split:
            shutil.rmtree(models.folder / name, ignore_errors=True)
            _scores_of(models, name).unlink(missing_ok=True)


@dataclass
class _Watch:
    """Sums up the seconds of fitting, and gathers the scores out of fold."""

    seconds: float = 0.0
    scores: Scores = field(default_factory=lambda: np.empty(0))

    def time(self, work: Any) -> Any:  # noqa: ANN401 — any function of a trainer
        started = time.perf_counter()
        done = work()
        self.seconds += time.perf_counter() - started
        return done


@dataclass
class _TimedLearner:
    """A learner under a watch; its folds run one after the other, so that their seconds add up."""

    learner: Learner
    watch: _Watch
    name: str
    folds_at_once: int = 1

    def prepare(self, data: TrainingData) -> "_TimedTrainer":
        shape = (len(data.target), data.classes) if data.classes > 2 else (len(data.target),)
        self.watch.scores = np.full(shape, np.nan)
        return _TimedTrainer(self.watch.time(lambda: self.learner.prepare(data)), self.watch)


@dataclass(frozen=True)
class _TimedTrainer:
    trainer: Trainer
    watch: _Watch

    def describe(self) -> Mapping[str, Any]:
        return self.trainer.describe()

    def fit_fold(self, train: Codes, held_out: Codes) -> FoldFit:
        fit: FoldFit = self.watch.time(lambda: self.trainer.fit_fold(train, held_out))
        self.watch.scores[held_out] = fit.scores
        return fit

    def stop(self) -> None:
        self.trainer.stop()

    def refit(self, folds: Sequence[FoldFit]) -> FittedModel:
        model: FittedModel = self.watch.time(lambda: self.trainer.refit(folds))
        return model

    def ensemble(self, folds: Sequence[FoldFit]) -> FittedModel:
        return self.trainer.ensemble(folds)


class _Nothing:
    """Checkpoints that keep nothing: a comparison is begun again by contender, not by fold."""

    def load(self, fold: int) -> FoldFit | None:  # noqa: ARG002 — the port's
        return None

    def save(self, fold: int, fit: FoldFit) -> None: ...

    def clear(self) -> None: ...
