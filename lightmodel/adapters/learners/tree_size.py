"""Choose the size of LightGBM's trees for a table, where the user gave none.

No size suits every table: independent columns want stumps, interactions want big trees, and the wrong
choice costs accuracy and minutes. A short trial on some of the training rows tells (docs/decisions/).
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm as lgb
import numpy as np

from lightmodel.adapters.learners.boosting import Stopping, boost

SIZES = (2, 4, 8, 16, 32, 64, 128)
TRIAL_ROWS = 10_000
TRIAL_PARTS = 3
TRIAL_STOPPING = Stopping(max_rounds=2_000, patience=50, every=5)


def choose_parameters(
    dataset: lgb.Dataset, fixed: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Give num_leaves and what goes with it, leaving alone what is in `given`.

    Args:
        dataset: all training rows, constructed.
        fixed: parameters in force, those of the user among them.
        given: the user's own.
    """
    columns = dataset.num_feature()
    chosen: dict[str, Any] = {"feature_fraction": min(1.0, max(0.05, 20 / columns)), **given}
    if "num_leaves" not in given:
        chosen["num_leaves"] = _best_size(dataset, {**fixed, **chosen})
    chosen.setdefault("learning_rate", learning_rate(chosen["num_leaves"]))
    return chosen


def learning_rate(leaves: int) -> float:
    """Give bigger trees smaller steps, so that the number of rounds stays in bounds."""
    return float(round(0.4 / np.sqrt(leaves), 4))


def _best_size(dataset: lgb.Dataset, parameters: Mapping[str, Any]) -> int:
    """Find the size with the smallest mean loss over a few held-out parts."""
    trials = [(size, part) for size in reversed(SIZES) for part in _parts(dataset, parameters)]

    def loss(trial: tuple[int, tuple[lgb.Dataset, lgb.Dataset]]) -> float:
        size, (fitted, held_out) = trial
        rate = parameters.get("learning_rate", min(2 * learning_rate(size), 0.5))
        own = {"num_leaves": size, "learning_rate": rate, "num_threads": 1}
        return boost(fitted, held_out, {**parameters, **own}, TRIAL_STOPPING).loss

    with ThreadPoolExecutor(int(parameters["num_threads"])) as pool:
        losses = np.array(list(pool.map(loss, trials))).reshape(len(SIZES), -1)
    by_size = dict(zip(reversed(SIZES), losses.mean(axis=1), strict=True))
    return min(SIZES, key=lambda size: by_size[size])


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
