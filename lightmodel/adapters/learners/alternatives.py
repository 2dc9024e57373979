"""Other parameters for LightGBM, around those that a training settled on."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lightmodel.adapters.learners.parameter_names import VARIED

DRAWS_PER_SET = 20


def alternatives(
    settled: Mapping[str, Any], given: Mapping[str, Any], seed: int, count: int
) -> tuple[dict[str, Any], ...]:
    """Give `count` different sets of parameters, each complete for `train.parameters`.

    A bigger count only adds to the sets of a smaller one. There are fewer, or none, where what is
    given leaves too little to vary.

    Args:
        settled: the parameters of the training to vary, those that the table decided on among them.
        given: the user's own; they stay as they are, under whichever of LightGBM's names.
        seed: another seed, other sets.
        count: how many.
    """
    free = [name for name, others in VARIED.items() if not given.keys() & {name, *others}]
    random = np.random.default_rng(seed)
    drawn: list[dict[str, Any]] = []
    for _ in range(count * DRAWS_PER_SET if free else 0):
        every = _draw(random, settled, resize="num_leaves" in free)
        one = {name: every[name] for name in free}
        if one not in drawn and any(settled.get(name) != value for name, value in one.items()):
            drawn.append(one)
        if len(drawn) == count:
            break
    return tuple({**one, **given} for one in drawn)


def _draw(
    random: np.random.Generator, settled: Mapping[str, Any], *, resize: bool
) -> dict[str, Any]:
    """Draw a value for everything, so that each set takes as much of the random numbers."""
    factor = float(random.choice([0.25, 0.5, 1, 2, 4]))
    size = int(settled["num_leaves"])
    leaves = int(np.clip(size * factor, 2, 255)) if resize else size
    step = float(settled["learning_rate"]) * np.sqrt(size / leaves) * 2 ** random.uniform(-2, 1)
    share = float(settled["feature_fraction"]) * 2 ** random.uniform(-1, 1.5)
    return {
        "num_leaves": leaves,
        "learning_rate": round(float(min(step, 1)), 4),
        "min_data_in_leaf": int(random.choice([3, 5, 10, 20, 40])),
        "feature_fraction": round(float(np.clip(share, 0.05, 1)), 3),
        "lambda_l1": float(random.choice([0, 0, 0.1, 1])),
        "lambda_l2": float(random.choice([0, 0.1, 1, 10])),
    }
