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

Member = tuple[str, dict[str, Any]]  # estimator and its parameters


def read_parameters(parameters: Mapping[str, Any]) -> tuple[list[Member], list[float]]:
    """Return the members and the normalized weights; without weights, all members count equally.

    Raises:
        ConfigError: they are not `{members = [{estimator = …, parameters = {…}}, …], weights = […]}`.
    """
    members, weights = parameters.get("members"), parameters.get("weights")
    unknown = set(parameters) - {"members", "weights"}
    if not isinstance(members, list) or len(members) < 2 or unknown:
        raise _invalid("only members, a list of at least two, and weights may be set")
    weights = [1.0] * len(members) if weights is None else weights
    parsed = [_member(entry) for entry in members]
    if not _are_weights(weights, len(parsed)):
        raise _invalid(f"weights must be {len(parsed)} numbers >= 0, at least one of them above 0")
    return parsed, [float(weight) / sum(weights) for weight in weights]


def _member(entry: object) -> Member:
    if not isinstance(entry, dict) or not isinstance(entry.get("estimator"), str):
        raise _invalid("each member must name its estimator")
    if unknown := sorted(set(entry) - {"estimator", "parameters"}):
        raise _invalid(f"a member has no key {', '.join(unknown)}, only estimator and parameters")
    if entry["estimator"] == "blend":
        raise _invalid("a blend cannot be a member of a blend")
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise _invalid("the parameters of a member must be a table")
    return entry["estimator"], parameters


def _are_weights(weights: object, count: int) -> bool:
    if not isinstance(weights, list) or len(weights) != count:
        return False
    are_numbers = all(isinstance(one, int | float) and 0 <= one < np.inf for one in weights)
    return are_numbers and sum(weights) > 0


def _invalid(reason: str) -> ConfigError:
    return ConfigError(
        f"train.parameters are not valid for the estimator blend: {reason}",
        hint='for example parameters = { members = [ { estimator = "lightgbm" }, '
        '{ estimator = "sklearn.ensemble.ExtraTreesClassifier" } ], weights = [0.6, 0.4] }',
    )


class BlendLearner:
    """Fits all members on the same folds and averages their scores with fixed weights."""

    name = "blend"

    def __init__(self, members: Sequence[Learner], weights: Sequence[float]) -> None:
        """Store the members and one weight for each; the weights add up to 1."""
        self.parallel_folds = min(member.parallel_folds for member in members)
        self._members = tuple(members)
        self._weights = tuple(weights)

    def prepare(self, data: TrainingData) -> "BlendTrainer":
        """Prepare all members for one table."""
        trainers = tuple(member.prepare(data) for member in self._members)
        names = tuple(member.name for member in self._members)
        return BlendTrainer(trainers, names, self._weights)


@dataclass(frozen=True)
class BlendTrainer:
    """The trainers of all members for one table."""

    trainers: tuple[Trainer, ...]
    learners: tuple[str, ...]
    weights: tuple[float, ...]

    def describe(self) -> Mapping[str, Any]:
        """Return each member's weight and parameters, numbered from 1."""
        described: dict[str, Any] = {"estimator": "blend"}
        pairs = zip(self.trainers, self.weights, strict=True)
        for number, (trainer, weight) in enumerate(pairs, 1):
            values = {"weight": weight, **trainer.describe()}
            described |= {f"{number}.{name}": value for name, value in values.items()}
        return described

    def fit_fold(self, train: Codes, held_out: Codes) -> FoldFit:
        """Fit every member, one after the other, and average their scores."""
        fits = [trainer.fit_fold(train, held_out) for trainer in self.trainers]
        model = {"members": [{"rounds": fit.rounds, "model": fit.model} for fit in fits]}
        scores = _weighted([fit.scores for fit in fits], self.weights)
        rounds, diverged = max(fit.rounds for fit in fits), any(fit.diverged for fit in fits)
        return FoldFit(scores, rounds, (), model, diverged=diverged)

    def stop(self) -> None:
        """Cancel the members that can be cancelled."""
        for trainer in self.trainers:
            trainer.stop()

    def refit(self, folds: Sequence[FoldFit]) -> "BlendModel":
        """Fit every member on all rows."""
        return self._model([trainer.refit(fits) for trainer, fits in self._members(folds)])

    def ensemble(self, folds: Sequence[FoldFit]) -> "BlendModel":
        """Combine the fold models of each member."""
        return self._model([trainer.ensemble(fits) for trainer, fits in self._members(folds)])

    def _members(self, folds: Sequence[FoldFit]) -> Iterator[tuple[Trainer, list[FoldFit]]]:
        """Yield each trainer with its fold fits; these hold the blend's scores, which no trainer reads."""
        for position, trainer in enumerate(self.trainers):
            parts = [(fold.scores, fold.model["members"][position]) for fold in folds]
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
    """The fitted models of all members."""

    members: tuple[FittedModel, ...]
    learners: tuple[str, ...]
    weights: tuple[float, ...]

    @classmethod
    def from_payload(cls, payload: dict[str, Any], load: Load) -> "BlendModel":
        """Restore a model from its payload; `load` restores a member by its learner's name."""
        parts = payload["members"]
        members = tuple(load(part["learner"], part["model"]) for part in parts)
        names = tuple(part["learner"] for part in parts)
        return cls(members, names, tuple(payload["weights"]))

    def predict(self, features: Matrix) -> Scores:
        """Return the weighted mean of the members' scores: (rows,) or (rows, classes)."""
        return _weighted([member.predict(features) for member in self.members], self.weights)

    def payload(self) -> dict[str, Any]:
        """Return the members' payloads and their weights."""
        parts = zip(self.learners, self.members, strict=True)
        return {
            "members": [{"learner": name, "model": one.payload()} for name, one in parts],
            "weights": list(self.weights),
        }

    def importance(self) -> tuple[Importance, ...]:
        """Return the weighted mean of each feature's share of the gain; empty if a member has no gains."""
        importances = [member.importance() for member in self.members]
        sums = [sum(item.gain for item in one) for one in importances]
        if not all(total > 0 for total in sums):
            return ()
        gains = np.array([[item.gain for item in one] for one in importances])
        shares = np.asarray(self.weights) @ (gains / np.array(sums)[:, None])
        return tuple(
            Importance(item.feature, float(share), float("nan"))
            for item, share in zip(importances[0], shares, strict=True)
        )
