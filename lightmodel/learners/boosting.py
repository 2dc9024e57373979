"""Boosting with early stopping at the lowest cost.

The loss is computed on the held-out rows only, and only every few rounds; their scores are read from
LightGBM's running scores instead of being predicted again at the end.
"""

from collections.abc import Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np

from lightmodel.contract import loss_values
from lightmodel.contract.cells import Codes, Scores, Vector
from lightmodel.contract.loss_values import best_constant
from lightmodel.contract.losses import Loss
from lightmodel.contract.results import FoldFit, Point
from lightmodel.learners.lean_lightgbm import lgb
from lightmodel.learners.objectives import SCORE_OF_ZERO, loss_of_parameters

MAX_CURVE_POINTS = 100
_TRAIN_LOSS_SPACING = 2  # factor between its rounds: the loss on the fitted rows costs more
_RISE, _SLACK = 1.5, 0.01  # a training loss above 1.5 times the lowest has diverged
_CLASS_WEIGHTS = ("scale_pos_weight", "is_unbalance")
_TINY = 1e-15
# As a share of the loss of knowing nothing: a table without noise gets ever closer to 0.
_NEGLIGIBLE = 1e-5
# Multiclass: classes that separate well improve the loss for thousands of rounds, by next to nothing.
_NEEDED_IMPROVEMENT = 0.005  # as a share of the loss, within `Stopping.patience`

FoldDatasets = tuple[lgb.Dataset, lgb.Dataset]  # of the rows to fit, and of those held out


@dataclass(frozen=True)
class Stopping:
    """Early stopping: when to evaluate and when to stop, in rounds."""

    max_rounds: int
    patience: int
    evaluate_every: int


@dataclass(frozen=True)
class Boosted:
    """A fitted booster, its best loss, and the held-out scores of the best round."""

    booster: lgb.Booster
    loss: float
    fit: FoldFit


def fold_datasets(dataset: lgb.Dataset, train: Codes, held_out: Codes) -> FoldDatasets:
    """Return the two subsets of a binned table; row numbers must ascend."""
    return _subset(dataset, train), _subset(dataset, held_out)


def _subset(dataset: lgb.Dataset, rows: Codes) -> lgb.Dataset:
    subset = dataset.subset([])
    indices: Any = rows.astype(np.int32)  # a list, which `subset` takes, would be 10 times as large
    subset.used_indices = indices
    return subset.construct()


def boost(
    datasets: FoldDatasets,
    parameters: Mapping[str, Any],
    stopping: Stopping,
    cancelled: Event | None = None,
) -> Boosted:
    """Add trees until the loss on the held-out rows has not improved for `stopping.patience` rounds.

    It ends where the loss on the fitted rows rises. `parameters` are LightGBM's, with one of the
    objectives of `objective_parameters` and no metric.

    Raises:
        CancelledError: `cancelled` was set.
    """
    booster = lgb.Booster(dict(parameters), datasets[0])
    booster.add_valid(datasets[1], "held out")
    metric = _LossMetric(parameters)
    needed = 1 - _NEEDED_IMPROVEMENT if parameters["objective"] == "multiclass" else 1.0
    unknowable = _unknowable_loss(parameters, sum(one.num_data() for one in datasets))
    best, best_round, scores = np.inf, 0, np.empty(0)
    improved, improved_round = np.inf, 0
    curve = list[Point]()
    training = _TrainingLoss(booster, metric, parameters)
    for rounds in range(1, stopping.max_rounds + 1):
        if cancelled and cancelled.is_set():
            raise CancelledError
        exhausted = booster.update()
        if rounds % stopping.evaluate_every and not exhausted and rounds < stopping.max_rounds:
            continue
        loss = float(booster.eval_valid(feval=metric.evaluate)[0][2])
        curve.append((float(rounds), loss))
        if loss < best or not best_round:
            best, best_round, scores = loss, rounds, metric.scores.copy()
        if loss < needed * improved:
            improved, improved_round = loss, rounds
        ends = (
            exhausted
            or rounds - improved_round >= stopping.patience
            or loss <= max(_negligible_loss(parameters, metric), unknowable)
        )
        training.observe(rounds)
        if ends or training.diverged:
            break
    fit = FoldFit(scores, best_round, _thinned(curve), {}, tuple(training.curve), training.diverged)
    return Boosted(booster, best, fit)


def has_diverged(booster: lgb.Booster, parameters: Mapping[str, Any]) -> bool:
    """Return whether a booster's loss on its training rows is clearly above that of knowing nothing."""
    metric = _LossMetric(parameters)
    training = _TrainingLoss(booster, metric, parameters)
    training.observe(1)
    return training.diverged


class _TrainingLoss:
    """The loss on the fitted rows every few rounds: it falls, unless the steps are too large.

    Attributes:
        curve: (round, loss) pairs.
        diverged: whether the loss rose clearly above an earlier one, or above that of knowing nothing.
    """

    def __init__(
        self, booster: lgb.Booster, metric: "_LossMetric", parameters: Mapping[str, Any]
    ) -> None:
        self.curve: list[Point] = []
        self.diverged = False
        self._booster = booster
        self._metric = metric
        self._parameters = parameters
        self._next_round = 0
        self._lowest = self._slack = np.inf  # known from the first loss on

    def observe(self, rounds: int) -> None:
        """Compute the loss after so many rounds, if it is due."""
        if rounds < self._next_round:
            return
        loss = float(self._booster.eval_train(feval=self._metric.evaluate)[0][2])
        if not self.curve:
            self._lowest, self._slack = _uninformed_loss(self._parameters, self._metric)
        self.curve.append((float(rounds), loss))
        self.diverged = not loss <= _RISE * self._lowest + self._slack
        self._lowest = min(self._lowest, loss)
        self._next_round = rounds * _TRAIN_LOSS_SPACING


def _negligible_loss(parameters: Mapping[str, Any], rows: "_LossMetric") -> float:
    """Return the loss below which more trees gain nothing that anybody could notice."""
    if loss := loss_of_parameters(parameters):
        return _NEGLIGIBLE * _constant_loss(loss, rows)
    return _NEGLIGIBLE * float(np.log(parameters.get("num_class", 2)))


def _unknowable_loss(parameters: Mapping[str, Any], rows: int) -> float:
    """Return the log loss of being as sure of the class as this many rows can tell; 0 for numbers.

    Where they separate well, a few rows that are held out are scored ever closer to 0 and 1, and one row
    that is scored wrongly later costs the more.
    """
    return 0.0 if loss_of_parameters(parameters) else 1 / rows


def _uninformed_loss(parameters: Mapping[str, Any], rows: "_LossMetric") -> tuple[float, float]:
    """Return the loss of a raw score of 0, and the difference of losses that is no rise."""
    if loss := loss_of_parameters(parameters):
        of_zero = np.full(len(rows.target), SCORE_OF_ZERO.get(loss.name, 0.0))
        lost = rows.mean(loss_values.row_losses(loss, rows.target, of_zero))
        return lost, _SLACK * _constant_loss(loss, rows)
    if any(parameters.get(name) for name in _CLASS_WEIGHTS):
        return np.inf, np.inf  # the loss that falls is a weighted one
    lost = float(np.log(parameters.get("num_class", 2)))
    return lost, _SLACK * lost


def _constant_loss(loss: Loss, rows: "_LossMetric") -> float:
    """Return the mean loss of the best constant score."""
    scores = np.full(len(rows.target), best_constant(loss, rows.target, rows.weights))
    return rows.mean(loss_values.row_losses(loss, rows.target, scores))


class _LossMetric:
    """A custom metric of LightGBM that computes the loss, and keeps its arguments.

    LightGBM's built-in metrics add up rows in an order that depends on other threads, so that their last
    digit, and with it the best round, could change from run to run.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self.scores: Scores = np.empty(0)
        self.target: Vector = np.empty(0)
        self.weights: Vector | None = None

    def mean(self, losses: Vector) -> float:
        """Return the mean of the losses of the rows, by the weights that they have in fitting."""
        return float(np.average(losses, weights=self.weights))

    def evaluate(self, scores: Scores, rows: lgb.Dataset) -> tuple[str, float, bool]:
        """Keep the scores, (rows,) or (rows, classes), and return their loss as LightGBM expects it."""
        self.scores = scores
        self.target, self.weights = target_of(rows), weights_of(rows)
        return "loss", self.mean(row_losses(self._parameters, self.target, scores)), False


def target_of(rows: lgb.Dataset) -> Vector:
    """Return (rows,) the target of a table or a subset of it."""
    return np.asarray(rows.get_label(), np.float64)


def weights_of(rows: lgb.Dataset) -> Vector | None:
    """Return (rows,) the weights of a table or a subset of it; None if all count the same."""
    weights = rows.get_weight()
    return None if weights is None else np.asarray(weights, np.float64)


def row_losses(parameters: Mapping[str, Any], target: Vector, scores: Scores) -> Vector:
    """Return (rows,) the loss of each row, whose mean is what boosting lowers."""
    if loss := loss_of_parameters(parameters):
        return loss_values.row_losses(loss, target, scores)
    if parameters["objective"] == "binary":
        true_class = np.where(target == 1, scores, 1 - scores)
    else:
        true_class = scores[np.arange(len(target)), target.astype(np.int64)]
    losses: Vector = -np.log(np.maximum(true_class, _TINY))
    return losses


def _thinned(curve: list[Point]) -> tuple[Point, ...]:
    every = max(1, -(-len(curve) // MAX_CURVE_POINTS))
    return tuple(curve[::every])
