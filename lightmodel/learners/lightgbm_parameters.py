"""LightGBM's parameters: their names, and the size of the trees, chosen where the user gave none.

No size suits every table: independent columns want stumps, interactions want big trees, and the wrong
choice costs accuracy and minutes. A short trial on some of the training rows tells (docs/decisions/).
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import lightgbm as lgb
import numpy as np

from lightmodel.learners.boosting import Stopping, boost

VARIED: Mapping[str, frozenset[str]] = {
    "num_leaves": frozenset({"num_leaf", "max_leaves", "max_leaf", "max_leaf_nodes"}),
    "learning_rate": frozenset({"eta", "shrinkage_rate"}),
    "min_data_in_leaf": frozenset(
        {"min_data_per_leaf", "min_data", "min_child_samples", "min_samples_leaf"}
    ),
    "feature_fraction": frozenset({"sub_feature", "colsample_bytree"}),
    "bagging_fraction": frozenset({"bagging", "sub_row", "subsample"}),
    "bagging_freq": frozenset({"subsample_freq"}),
    "lambda_l1": frozenset({"reg_alpha", "l1_regularization"}),
    "lambda_l2": frozenset({"reg_lambda", "lambda", "l2_regularization"}),
    "max_depth": frozenset(),
    "min_sum_hessian_in_leaf": frozenset(
        {"min_child_weight", "min_hessian", "min_sum_hessian", "min_sum_hessian_per_leaf"}
    ),
    "min_gain_to_split": frozenset({"min_split_gain"}),
    "feature_fraction_bynode": frozenset({"colsample_bynode", "sub_feature_bynode"}),
    "path_smooth": frozenset(),
    "max_delta_step": frozenset({"max_leaf_output", "max_tree_output"}),
    "cat_smooth": frozenset(),
    "cat_l2": frozenset(),
    "min_data_per_group": frozenset(),
    "scale_pos_weight": frozenset(),
}
_MAIN = {other: name for name, others in VARIED.items() for other in others}

SIZES = (2, 4, 8, 16, 32, 64, 128)
TRIAL_ROWS = 10_000
TRIAL_PARTS = 3
COLUMNS_OF_A_STUMP, COLUMNS_OF_A_TREE = 10, 20
ALIKE = 1.005
TRIAL_STOPPING = Stopping(max_rounds=2_000, patience=50, evaluate_every=5)


def main_names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same parameters by the main names of those that are known here."""
    return {_MAIN.get(name, name): value for name, value in parameters.items()}


def choose_parameters(
    dataset: lgb.Dataset, fixed: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return num_leaves and what goes with it, leaving alone what is in `given`.

    Args:
        dataset: all training rows, constructed.
        fixed: parameters in force, those of the user among them.
        given: the user's own.
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
    parts = _parts(dataset, parameters)
    losses: dict[int, float] = {}
    with ThreadPoolExecutor(int(parameters["num_threads"])) as pool:
        for size in SIZES:
            own = suited(size, dataset.num_feature())
            own["learning_rate"] = min(2 * own["learning_rate"], 0.5)  # a trial may be coarse
            tried = {**own, **parameters, "num_leaves": size, "num_threads": 1}
            losses[size] = float(np.mean(list(pool.map(partial(_loss, tried), parts))))
            if _is_past_best(list(losses.values())):
                break
    good = ALIKE * min(losses.values())
    return next(size for size, loss in losses.items() if loss <= good)


def _loss(parameters: Mapping[str, Any], part: tuple[lgb.Dataset, lgb.Dataset]) -> float:
    fitted, held_out = part
    return boost(fitted, held_out, parameters, TRIAL_STOPPING).loss


def _is_past_best(losses: list[float]) -> bool:
    """Return whether the last two sizes were clearly worse than an earlier one."""
    return len(losses) > 2 and min(losses[-2:]) > ALIKE * min(losses)


def _parts(
    dataset: lgb.Dataset, parameters: Mapping[str, Any]
) -> list[tuple[lgb.Dataset, lgb.Dataset]]:
    """Cut some rows into parts; each is held out once while the others are fitted."""
    random = np.random.default_rng(int(parameters["seed"]))
    rows = random.permutation(dataset.num_data())[:TRIAL_ROWS]
    parts = np.array_split(rows, TRIAL_PARTS)
    pairs = []
    for held_out in parts:
        others = np.setdiff1d(rows, held_out)
        fitted, watched = (
            dataset.subset(sorted(part.tolist())).construct() for part in (others, held_out)
        )
        pairs.append((fitted, watched))
    return pairs
