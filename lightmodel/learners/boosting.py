"""Boosting with early stopping, as cheap as LightGBM allows, and the size of its trees.

The loss is taken on the held-out rows only, and only every few rounds; their scores are read from the
booster's own running sums instead of being predicted again at the end.

No size of tree suits every table: independent columns want stumps, interactions want big trees, and the
wrong choice costs accuracy and minutes. A short trial on some of the training rows tells (docs/decisions/).
"""

from collections.abc import Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Any

import lightgbm as lgb
import numpy as np

from lightmodel.contract.cells import Codes, Scores, Vector
from lightmodel.contract.results import FoldFit, Point

MAX_CURVE_POINTS = 100
FURTHER = 2  # the loss on the rows that are fitted costs more, and is looked at ever more rarely
_TINY = 1e-15

Part = tuple[lgb.Dataset, lgb.Dataset]  # rows to fit, and rows to hold out


@dataclass(frozen=True)
class Stopping:
    """When to look and when to stop, in rounds."""

    max_rounds: int
    patience: int
    evaluate_every: int


SIZES = (2, 4, 8, 16, 32, 64, 128)
TRIAL_ROWS = 10_000
TRIAL_PARTS = 3
COLUMNS_OF_A_STUMP, COLUMNS_OF_A_TREE = 10, 20
ALIKE = 1.005
TRIAL_STOPPING = Stopping(max_rounds=2_000, patience=50, evaluate_every=5)

_ALIASES = {  # of the parameters that may be searched
    "num_leaves": "num_leaf max_leaves max_leaf max_leaf_nodes",
    "learning_rate": "eta shrinkage_rate",
    "min_data_in_leaf": "min_data_per_leaf min_data min_child_samples min_samples_leaf",
    "feature_fraction": "sub_feature colsample_bytree",
    "bagging_fraction": "bagging sub_row subsample",
    "bagging_freq": "subsample_freq",
    "lambda_l1": "reg_alpha l1_regularization",
    "lambda_l2": "reg_lambda lambda l2_regularization",
    "min_sum_hessian_in_leaf": "min_child_weight min_hessian min_sum_hessian min_sum_hessian_per_leaf",
    "min_gain_to_split": "min_split_gain",
    "feature_fraction_bynode": "colsample_bynode sub_feature_bynode",
    "max_delta_step": "max_leaf_output max_tree_output",
}
_MAIN = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}


@dataclass(frozen=True)
class Boosted:
    """A finished run: its booster, the best loss, and the best round's scores of the held-out rows."""

    booster: lgb.Booster
    loss: float
    fit: FoldFit


def cut(dataset: lgb.Dataset, train: Codes, held_out: Codes) -> Part:
    """Return two sets of rows of a binned table; row numbers ascend."""
    fitted, watched = (dataset.subset(rows.tolist()).construct() for rows in (train, held_out))
    return fitted, watched


def boost(
    part: Part,
    parameters: Mapping[str, Any],
    stopping: Stopping,
    given_up: Event | None = None,
) -> Boosted:
    """Add trees until the loss on the held-out rows has not improved for `stopping.patience` rounds.

    The parameters are LightGBM's, with one of our objectives and no metric.

    Raises:
        CancelledError: `given_up` was set, for nobody wants the result.
    """
    booster = lgb.Booster(dict(parameters), part[0])
    booster.add_valid(part[1], "held out")
    watch = _Watch(str(parameters["objective"]))
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
        if loss < best or not best_round:
            best, best_round, scores = loss, rounds, watch.scores.copy()
        if rounds >= next_look:
            train_curve.append((float(rounds), float(booster.eval_train(feval=watch.take)[0][2])))
            next_look = rounds * FURTHER
        if exhausted or rounds - best_round >= stopping.patience:
            break
    fit = FoldFit(scores, best_round, _thinned(curve), {}, tuple(train_curve))
    return Boosted(booster, best, fit)


class _Watch:
    """Takes the running scores that LightGBM shows to a metric of the user's own, and gives the loss.

    LightGBM's own metrics add up rows in an order that depends on what other threads do, so that their
    last digit, and with it the best round, could change from run to run.
    """

    def __init__(self, objective: str) -> None:
        self._objective = objective
        self.scores: Scores = np.empty(0)

    def take(self, scores: Scores, rows: lgb.Dataset) -> tuple[str, float, bool]:
        """Keep the scores, (rows,) or (rows, classes), and give their loss."""
        self.scores = scores
        target = np.asarray(rows.get_label(), np.float64)
        return "loss", _loss(self._objective, target, scores), False


def _loss(objective: str, target: Vector, scores: Scores) -> float:
    if objective == "regression":
        return float(((scores - target) ** 2).mean())
    if objective == "binary":
        likely = np.where(target == 1, scores, 1 - scores)
    else:
        likely = scores[np.arange(len(target)), target.astype(np.int64)]
    return float(-np.log(np.maximum(likely, _TINY)).mean())


def _thinned(curve: list[Point]) -> tuple[Point, ...]:
    every = max(1, -(-len(curve) // MAX_CURVE_POINTS))
    return tuple(curve[::every])


def main_names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same parameters by the main names of those that are known here."""
    return {_MAIN.get(name, name): value for name, value in parameters.items()}


def choose_parameters(
    dataset: lgb.Dataset, fixed: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return num_leaves and what goes with it, leaving alone what the user has `given`.

    `fixed` are all parameters in force, those of the user among them.
    """
    given = main_names(given)  # LightGBM would take a main name before any other
    columns = dataset.num_feature()
    size = given.get("num_leaves") or _best_size(dataset, {**fixed, **given})
    return {**suited(int(size), columns), **given}


def suited(leaves: int, columns: int) -> dict[str, Any]:
    """Return the parameters that go with a size of tree.

    Bigger trees take smaller steps, so that the number of rounds stays in bounds. Stumps see few
    columns at a time, since they cannot join them anyway; bigger trees see more.
    """
    seen = COLUMNS_OF_A_STUMP if leaves == 2 else COLUMNS_OF_A_TREE
    return {
        "num_leaves": leaves,
        "learning_rate": float(round(0.5 / np.sqrt(leaves), 4)),
        "feature_fraction": min(1.0, max(0.05, seen / columns)),
    }


def _best_size(dataset: lgb.Dataset, parameters: Mapping[str, Any]) -> int:
    """Find the smallest size whose mean loss over a few held-out parts is about the best."""
    random = np.random.default_rng(int(parameters["seed"]))
    rows = random.permutation(dataset.num_data())[:TRIAL_ROWS]
    parts = [
        cut(dataset, np.setdiff1d(rows, held_out), np.sort(held_out))
        for held_out in np.array_split(rows, TRIAL_PARTS)
    ]
    losses: dict[int, float] = {}
    with ThreadPoolExecutor(int(parameters["num_threads"])) as pool:
        for size in SIZES:
            own = suited(size, dataset.num_feature())
            own["learning_rate"] = min(2 * own["learning_rate"], 0.5)  # a trial may be coarse
            tried = {**own, **parameters, "num_leaves": size, "num_threads": 1}
            run = partial(boost, parameters=tried, stopping=TRIAL_STOPPING)
            losses[size] = float(np.mean([done.loss for done in pool.map(run, parts)]))
            if _is_past_best(list(losses.values())):
                break
    good = ALIKE * min(losses.values())
    return next(size for size, loss in losses.items() if loss <= good)


def _is_past_best(losses: list[float]) -> bool:
    """Return whether the last two sizes were clearly worse than an earlier one."""
    return len(losses) > 2 and min(losses[-2:]) > ALIKE * min(losses)
