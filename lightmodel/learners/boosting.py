"""One run of boosting with early stopping, as cheap as LightGBM allows.

The loss is taken on the held-out rows only, and only every few rounds; their scores are read from the
booster's own running sums instead of being predicted again at the end.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from threading import Event
from typing import Any

import lightgbm as lgb
import numpy as np

from lightmodel.contract.cells import Scores, Vector
from lightmodel.contract.results import Point

MAX_CURVE_POINTS = 100
FURTHER = 2  # the loss on the rows that are fitted costs more, and is looked at ever more rarely
_TINY = 1e-15


@dataclass(frozen=True)
class Stopping:
    """When to look and when to stop, in rounds."""

    max_rounds: int
    patience: int
    evaluate_every: int


@dataclass(frozen=True)
class Boosted:
    """A finished run: its booster, the best round, and what that round said of the held-out rows."""

    booster: lgb.Booster
    rounds: int
    loss: float
    scores: Scores
    curve: tuple[Point, ...]
    train_curve: tuple[Point, ...]


def boost(
    train: lgb.Dataset,
    held_out: lgb.Dataset,
    parameters: Mapping[str, Any],
    stopping: Stopping,
    given_up: Event | None = None,
) -> Boosted:
    """Add trees until the loss on `held_out` has not improved for `stopping.patience` rounds.

    Args:
        train: constructed rows to fit.
        held_out: constructed rows to stop by.
        parameters: for LightGBM, with one of our objectives and no metric.
        stopping: see there.
        given_up: once set, nobody wants the result.

    Raises:
        CancelledError: `given_up` was set.
    """
    booster = lgb.Booster(dict(parameters), train)
    booster.add_valid(held_out, "held out")
    watch, fitted = (_Watch(str(parameters["objective"])) for _ in range(2))
    best, best_round, scores = np.inf, 0, np.empty(0)
    curve, train_curve = list[Point](), list[Point]()
    next_look = 0.0
    for rounds in range(1, stopping.max_rounds + 1):
        if given_up and given_up.is_set():
            raise CancelledError
        exhausted = booster.update()
        if rounds % stopping.evaluate_every and not exhausted and rounds < stopping.max_rounds:
            continue
        loss = float(booster.eval_valid(feval=watch.take)[0][2])
        curve.append((float(rounds), loss))
        if rounds >= next_look:
            train_curve.append((float(rounds), float(booster.eval_train(feval=fitted.take)[0][2])))
            next_look = rounds * FURTHER
        if loss < best or not best_round:
            best, best_round, scores = loss, rounds, watch.scores.copy()
        if exhausted or rounds - best_round >= stopping.patience:
            break
    return Boosted(booster, best_round, best, scores, _thinned(curve), tuple(train_curve))


class _Watch:
    """Takes the running scores that LightGBM shows to a metric of the user's own, and gives the loss.

    LightGBM's own metrics add up rows in an order that depends on what other threads do, so that their
    last digit, and with it the best round, could change from run to run.
    """

    def __init__(self, objective: str) -> None:
        self._loss = LOSSES[objective]
        self.scores: Scores = np.empty(0)

    def take(self, scores: Scores, held_out: lgb.Dataset) -> tuple[str, float, bool]:
        """Keep the scores, (rows,) or (rows, classes), and give their loss."""
        self.scores = scores
        return "loss", self._loss(np.asarray(held_out.get_label(), np.float64), scores), False


def _log_loss(target: Vector, scores: Scores) -> float:
    likely = np.where(target == 1, scores, 1 - scores)
    return float(-np.log(np.maximum(likely, _TINY)).mean())


def _multiclass_log_loss(target: Vector, scores: Scores) -> float:
    likely = scores[np.arange(len(target)), target.astype(np.int64)]
    return float(-np.log(np.maximum(likely, _TINY)).mean())


def _squared_error(target: Vector, scores: Scores) -> float:
    return float(((scores - target) ** 2).mean())


LOSSES: Mapping[str, Callable[[Vector, Scores], float]] = {
    "binary": _log_loss,
    "multiclass": _multiclass_log_loss,
    "regression": _squared_error,
}


def _thinned(curve: list[Point]) -> tuple[Point, ...]:
    every = max(1, -(-len(curve) // MAX_CURVE_POINTS))
    return tuple(curve[::every])
