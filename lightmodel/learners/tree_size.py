"""The choice of the tree size, and of the parameters that depend on it.

No tree size suits every table: independent columns need stumps, interactions need big trees, and the
wrong choice costs accuracy and minutes. A short trial on some training rows decides (docs/decisions/).
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from lightmodel.contract.cells import Vector
from lightmodel.learners.base import Folds
from lightmodel.learners.boosting import (
    FoldDatasets,
    Stopping,
    boost,
    fold_datasets,
    row_losses,
    target_of,
    weights_of,
)
from lightmodel.learners.lean_lightgbm import lgb

TREE_SIZES = (2, 4, 8, 16, 32, 64, 128)
_FIRST_SIZE = 8  # the trial goes from here to smaller or to bigger trees
_TRIAL_ROWS = 30_000
_TRIAL_FOLDS = 3
_TOLERANCE = 0.01  # of a loss: that much less is not worth bigger trees
_TRIAL_STOPPING = Stopping(max_rounds=2_000, patience=50, evaluate_every=5)
_COLUMNS_PER_STUMP, _COLUMNS_PER_TREE = 10, 20
_MANY_ROWS = 10_000
# Multiclass: LightGBM divides by sums of p (1 - p), which are next to 0 for a rare class, so that without
# this much in the divisor a step is as large as it likes, and the loss rises.
_MULTICLASS_DEFAULTS = {"lambda_l2": 1.0}


def choose_parameters(
    dataset: lgb.Dataset,
    folds: Folds | None,
    fixed: Mapping[str, Any],
    given: Mapping[str, Any],
    parallel: int,
) -> dict[str, Any]:
    """Return num_leaves and the parameters that depend on it; those that the user has `given` win.

    Args:
        dataset: the binned training rows.
        folds: the cut of the rows that the trial follows; None if any will do.
        fixed: all parameters in effect, those of the user among them, all under their main names.
        given: the parameters of the user.
        parallel: the number of fits that run in parallel, on one thread each.
    """
    folds = folds or Folds(np.arange(dataset.num_data()) % _TRIAL_FOLDS)
    defaults = _MULTICLASS_DEFAULTS if fixed["objective"] == "multiclass" else {}
    given = {**defaults, **given}
    size = given.get("num_leaves") or _best_size(dataset, folds, {**fixed, **given}, parallel)
    return {**parameters_for_size(int(size), dataset), **given}


def parameters_for_size(leaves: int, dataset: lgb.Dataset) -> dict[str, Any]:
    """Return the parameters that suit trees with this number of leaves, on this table.

    Bigger trees get a smaller learning rate, which keeps the number of rounds similar; so do tables of
    few rows, where a round costs little. Stumps sample few columns, since they cannot combine them
    anyway; bigger trees sample more.
    """
    sampled = _COLUMNS_PER_STUMP if leaves == 2 else _COLUMNS_PER_TREE
    rate = 0.5 * min(1.0, max(0.7, dataset.num_data() / _MANY_ROWS))
    return {
        "num_leaves": leaves,
        "learning_rate": float(round(rate / np.sqrt(leaves), 4)),
        "feature_fraction": min(1.0, max(0.05, sampled / dataset.num_feature())),
    }


def category_parameters(rows: int) -> dict[str, Any]:
    """Return the parameters of splits on categories that suit a table with so many training rows.

    LightGBM's own are for tables of thousands of rows: in a small one they rule out every split on a
    category of a dozen values or more.
    """
    return {
        "min_data_per_group": min(100, max(20, rows // 50)),
        "cat_smooth": min(10.0, max(2.0, round(rows / 500, 1))),
    }


def _best_size(
    dataset: lgb.Dataset, folds: Folds, parameters: Mapping[str, Any], parallel: int
) -> int:
    """Return the smallest tree size that is no worse than others in the trial."""
    datasets = _trial_datasets(dataset, folds, int(parameters["seed"]))
    with ThreadPoolExecutor(parallel) as pool:

        def losses_of(size: int) -> Vector:
            suited = parameters_for_size(size, dataset)
            trial = {**suited, **parameters, "num_leaves": size}
            return np.concatenate(list(pool.map(partial(_held_out_losses, trial), datasets)))

        return search_size(losses_of, dataset.num_data())


def _held_out_losses(parameters: Mapping[str, Any], datasets: FoldDatasets) -> Vector:
    """Return the losses of the rows that a fold holds out, times their weights."""
    fit = boost(datasets, parameters, _TRIAL_STOPPING).fit
    weights = weights_of(datasets[1])
    losses = row_losses(parameters, target_of(datasets[1]), fit.scores)
    return losses if weights is None else losses * weights


def search_size(losses_of: Callable[[int], Vector], rows: int) -> int:
    """Return the smallest of TREE_SIZES that is no worse than the best one that was met.

    It goes to smaller trees while they are better, or in a table of few rows no worse; else to bigger ones
    while they are better.

    Args:
        losses_of: returns the losses of a size, of the same held-out rows for each.
        rows: the number of rows of the table.
    """
    first = TREE_SIZES.index(_FIRST_SIZE)
    losses = {_FIRST_SIZE: losses_of(_FIRST_SIZE)}
    for size in reversed(TREE_SIZES[:first]):
        losses[size] = losses_of(size)
        if _is_behind(size, losses) and (rows >= _MANY_ROWS or _is_worse(size, losses, rows)):
            break
    bigger = TREE_SIZES[first + 1 :] if len(losses) == 2 else ()  # smaller trees are worse
    for size in bigger:
        losses[size] = losses_of(size)
        if _is_behind(size, losses):
            break
    return min(size for size in losses if not _is_worse(size, losses, rows))


def _is_behind(size: int, losses: Mapping[int, Vector]) -> bool:
    """Return whether another size has a lower mean loss."""
    return bool(losses[size].mean() > min(one.mean() for one in losses.values()))


def _is_worse(size: int, losses: Mapping[int, Vector], rows: int) -> bool:
    """Return whether a size's mean loss exceeds the lowest by 1 %, and of few rows by more than chance.

    Of many rows chance is not asked: a few large errors would hide what bigger trees gain on all others.
    """
    best = min(losses.values(), key=lambda one: float(one.mean()))
    excess = losses[size] - best
    noise = excess.std() / np.sqrt(len(excess)) if rows < _MANY_ROWS else 0.0
    return float(excess.mean()) > max(float(noise), _TOLERANCE * float(best.mean()))


def _trial_datasets(dataset: lgb.Dataset, folds: Folds, seed: int) -> Sequence[FoldDatasets]:
    """Return the folds of the trial: those of the cross-validation, merged into three.

    Of many rows the last one is enough: it holds out as many as all three of few rows.
    """
    merged, rows = folds.merged(_TRIAL_FOLDS), dataset.num_data()
    drawn = np.random.default_rng(seed).permutation(rows)[:_TRIAL_ROWS]
    first = 0 if rows < _MANY_ROWS else merged.count - 1
    return [
        fold_datasets(dataset, *(np.intersect1d(part, drawn) for part in merged.rows(fold)))
        for fold in range(first, merged.count)
    ]
