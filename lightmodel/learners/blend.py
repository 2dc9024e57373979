"""A weighted mean of several learners' scores, as one learner."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightmodel.contract.cells import Codes, Matrix, Scores
from lightmodel.contract.results import FoldFit, Importance
from lightmodel.errors import ConfigError
from lightmodel.learners.base import FittedModel, Learner, Trainer, TrainingData

Load = Callable[[str, dict[str, Any]], FittedModel]


Member = tuple[str, dict[str, Any]]  # estimator, and its parameters


def read_parameters(
    parameters: Mapping[str, Any],
) -> tuple[tuple[Member, ...], tuple[float, ...]]:
    """Return members and weights of `train.parameters`; without weights, all count the same.

    Raises:
        ConfigError: they are not `{members = [{estimator = …, parameters = {…}}, …], weights = […]}`.
    """
    members, weights = parameters.get("members"), parameters.get("weights")
    unknown = set(parameters) - {"members", "weights"}
    if not isinstance(members, list) or len(members) < 2 or unknown:
        raise _refused("it takes members, a list of at least two, and weights")
    read = tuple(_member(entry) for entry in members)
    weights = [1.0] * len(read) if weights is None else weights
    if not _are_weights(weights, len(read)):
        raise _refused(
            f"weights must be {len(read)} numbers, none below 0 and at least one above it"
        )
    return read, tuple(float(weight) / sum(weights) for weight in weights)


def _member(entry: object) -> Member:
    if not isinstance(entry, dict) or not isinstance(entry.get("estimator"), str):
        raise _refused("each member names its estimator")
    if unknown := sorted(set(entry) - {"estimator", "parameters"}):
        raise _refused(f"a member has estimator and parameters, and no {', '.join(unknown)}")
    if entry["estimator"] == "blend":
        raise _refused("a blend cannot be a member of a blend")
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise _refused("a member's parameters are a table")
    return entry["estimator"], parameters


def _are_weights(weights: object, count: int) -> bool:
    if not isinstance(weights, list) or len(weights) != count:
        return False
    numbers = all(isinstance(one, int | float) and 0 <= one < np.inf for one in weights)
    return numbers and sum(weights) > 0


def _refused(why: str) -> ConfigError:
    return ConfigError(
        f"train.parameters do not suit the estimator blend: {why}",
        hint='for example parameters = { members = [ { estimator = "lightgbm" }, '
        '{ estimator = "sklearn.ensemble.ExtraTreesClassifier" } ], weights = [0.6, 0.4] }',
    )


class BlendLearner:
    """Fits all members on the same folds; their scores are averaged by fixed weights."""

    name = "blend"

    def __init__(self, members: Sequence[Learner], weights: Sequence[float]) -> None:
        """Take the members, and one weight for each; the weights add up to 1."""
        self.folds_at_once = min(member.folds_at_once for member in members)
        self._members = tuple(members)
        self._weights = tuple(weights)

    def prepare(self, data: TrainingData) -> "BlendTrainer":
        """Prepare all members."""
        trainers = tuple(member.prepare(data) for member in self._members)
        names = tuple(member.name for member in self._members)
        return BlendTrainer(trainers, names, self._weights)


@dataclass(frozen=True)
class BlendTrainer:
    """The members' trainers of one table."""

    trainers: tuple[Trainer, ...]
    learners: tuple[str, ...]
    weights: tuple[float, ...]

    def describe(self) -> Mapping[str, Any]:
        """Return each member's weight and parameters, numbered from 1."""
        described: dict[str, Any] = {"estimator": "blend"}
        for at, (trainer, weight) in enumerate(zip(self.trainers, self.weights, strict=True), 1):
            own = {"weight": weight, **trainer.describe()}
            described |= {f"{at}.{name}": value for name, value in own.items()}
        return described

    def fit_fold(self, train: Codes, held_out: Codes) -> FoldFit:
        """Fit every member, one after the other, and average their scores."""
        fits = [trainer.fit_fold(train, held_out) for trainer in self.trainers]
        model = {"members": [{"rounds": fit.rounds, "model": fit.model} for fit in fits]}
        scores = _weighted([fit.scores for fit in fits], self.weights)
        return FoldFit(scores, max(fit.rounds for fit in fits), (), model)

    def stop(self) -> None:
        """Let members that can be stopped end."""
        for trainer in self.trainers:
            trainer.stop()

    def refit(self, folds: Sequence[FoldFit]) -> "BlendModel":
        """Fit every member on all rows, as long as its folds say."""
        return self._model([trainer.refit(own) for trainer, own in self._members(folds)])

    def ensemble(self, folds: Sequence[FoldFit]) -> "BlendModel":
        """Put each member's own models together."""
        return self._model([trainer.ensemble(own) for trainer, own in self._members(folds)])

    def _members(self, folds: Sequence[FoldFit]) -> Iterator[tuple[Trainer, list[FoldFit]]]:
        """Yield trainers and the folds as each knows them; none fits anew by a fold's scores."""
        for at, trainer in enumerate(self.trainers):
            parts = [(fold.scores, fold.model["members"][at]) for fold in folds]
            yield (
                trainer,
                [FoldFit(scores, one["rounds"], (), one["model"]) for scores, one in parts],
            )

    def _model(self, members: Sequence[FittedModel]) -> "BlendModel":
        return BlendModel(tuple(members), self.learners, self.weights)


def _weighted(scores: Sequence[Scores], weights: Sequence[float]) -> Scores:
    mean: Scores = np.tensordot(np.asarray(weights), np.stack(scores), axes=1)
    return mean


@dataclass(frozen=True)
class BlendModel:
    """The members' models."""

    members: tuple[FittedModel, ...]
    learners: tuple[str, ...]
    weights: tuple[float, ...]

    @classmethod
    def from_payload(cls, payload: dict[str, Any], load: Load) -> "BlendModel":
        """Build a model from what `payload` gave; `load` builds a member of a learner's name."""
        parts = payload["members"]
        members = tuple(load(part["learner"], part["model"]) for part in parts)
        names = tuple(part["learner"] for part in parts)
        return cls(members, names, tuple(payload["weights"]))

    def predict(self, features: Matrix) -> Scores:
        """Score rows."""
        return _weighted([member.predict(features) for member in self.members], self.weights)

    def payload(self) -> dict[str, Any]:
        """Return the members' payloads and their weights."""
        parts = zip(self.learners, self.members, strict=True)
        return {
            "members": [{"learner": name, "model": one.payload()} for name, one in parts],
            "weights": list(self.weights),
        }

    def importance(self) -> tuple[Importance, ...]:
        """Return each feature's share of a member's gains, weighted; nothing where a member has none."""
        told = [member.importance() for member in self.members]
        sums = [sum(item.gain for item in one) for one in told]
        if not all(total > 0 for total in sums):
            return ()
        gains = np.array([[item.gain for item in one] for one in told]) / np.array(sums)[:, None]
        shares = np.asarray(self.weights) @ gains
        return tuple(
            Importance(item.feature, float(share), float("nan"))
            for item, share in zip(told[0], shares, strict=True)
        )
