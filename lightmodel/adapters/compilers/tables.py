"""A LightGBM model's text as flat tables: see `struct model` in trees.c."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lightmodel.adapters.compilers.build import NotCompiledError

NODE = np.dtype(
    [("threshold", "f8"), ("feature", "i4"), ("left", "i4"), ("right", "i4"), ("flags", "u4")]
)
TEST = np.dtype([("feature", "u2"), ("rank", "i2"), ("stays", "u4")])

_LINKS = {"regression": 0, "binary": 1, "multiclass": 2}
_CATEGORICAL, _ZERO_IS_MISSING = 1, 4
_MOST_LEAVES = 32
_MOST_STEPS = 14
_MOST_THRESHOLDS = 1 << 21  # of all features, filled up

Tables = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class _Tree:
    """One tree: (nodes,) arrays, empty for a tree that is one leaf."""

    nodes: npt.NDArray[Any]
    leaves: npt.NDArray[np.float64]
    bits_start: Sequence[int]
    bits: Sequence[int]


def tables_of(text: str) -> Tables:
    """Turn a model's text into tables.

    Raises:
        NotCompiledError: it uses something that trees.c does not know.
    """
    head, *parts = text.partition("end of trees")[0].split("\nTree=")
    facts = _pairs(head)
    trees = [_tree(_pairs(part)) for part in parts]
    if not trees:
        raise NotCompiledError("the model has no trees")
    nodes = np.concatenate([tree.nodes for tree in trees])
    tables = {
        "nodes": nodes,
        "leaves": np.concatenate([tree.leaves for tree in trees]),
        "first_node": _starts([len(tree.nodes) for tree in trees]),
        "first_leaf": _starts([len(tree.leaves) for tree in trees]),
        **_bits(trees, nodes),
    }
    features = int(facts["max_feature_idx"]) + 1
    ranked = _ranked(trees, nodes, features)
    link, steepness = _link(facts)
    classes = int(facts["num_tree_per_iteration"])
    shape = [len(trees), classes, features, link, bool(ranked), _steps(ranked, features)]
    nothing = {"tests": np.empty(0, TEST), "ordered_leaves": np.empty(0), "thresholds": np.empty(0)}
    return {
        **tables,
        **(ranked or nothing),
        "shape": np.array(shape, np.int32),
        "steepness": np.array([steepness]),
    }


def _pairs(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines())
    return {key: value for key, _, value in lines}


def _link(facts: Mapping[str, str]) -> tuple[int, float]:
    name, *options = facts.get("objective", "regression").split()
    if name not in _LINKS or "average_output" in facts:
        raise NotCompiledError(f"the objective {name!r} is not known")
    given = dict(option.split(":") for option in options if ":" in option)
    return _LINKS[name], float(given.get("sigmoid", 1))


def _tree(facts: Mapping[str, str]) -> _Tree:
    if facts.get("is_linear", "0") != "0":
        raise NotCompiledError("it has linear trees")
    leaves = np.array(facts["leaf_value"].split(), np.float64)
    nodes = np.zeros(len(leaves) - 1, NODE)
    if len(nodes):
        for ours, theirs in (
            ("threshold", "threshold"),
            ("feature", "split_feature"),
            ("left", "left_child"),
            ("right", "right_child"),
            ("flags", "decision_type"),
        ):
            nodes[ours] = np.array(facts[theirs].split(), nodes[ours].dtype)
    bounds = [int(part) for part in facts.get("cat_boundaries", "0").split()]
    return _Tree(
        nodes, leaves, bounds, [int(part) for part in facts.get("cat_threshold", "").split()]
    )


def _starts(lengths: Sequence[int]) -> npt.NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def _bits(trees: Sequence[_Tree], nodes: npt.NDArray[Any]) -> Tables:
    """Put the category sets of all trees into one list, and number them through."""
    starts, bits, first, sets = [0], list[int](), 0, 0
    for tree in trees:
        own = nodes[first : first + len(tree.nodes)]
        own["threshold"][(own["flags"] & _CATEGORICAL) != 0] += sets
        starts += [len(bits) + bound for bound in tree.bits_start[1:]]
        sets += len(tree.bits_start) - 1
        bits += tree.bits
        first += len(tree.nodes)
    return {"bits_start": np.array(starts, np.int32), "bits": np.array(bits, np.uint32)}


def _ranked(trees: Sequence[_Tree], nodes: npt.NDArray[Any], features: int) -> Tables:
    """Give the tables of `score_block`, or none when it cannot take this model."""
    if ((nodes["flags"] & _CATEGORICAL) != 0).any():
        return {}
    if ((nodes["flags"] & 12) == _ZERO_IS_MISSING).any():
        return {}
    if max(len(tree.leaves) for tree in trees) > _MOST_LEAVES or features > np.iinfo(np.uint16).max:
        return {}
    known = [np.unique(nodes["threshold"][nodes["feature"] == at]) for at in range(features)]
    steps = max(1, int(max(map(len, known))).bit_length())
    if steps > _MOST_STEPS or features << steps > _MOST_THRESHOLDS:
        return {}
    thresholds = np.full((features, 1 << steps), np.inf)
    for own, values in zip(thresholds, known, strict=True):
        own[: len(values)] = values
    tests = np.zeros(len(nodes), TEST)
    tests["feature"] = nodes["feature"]
    for at, values in enumerate(known):
        own = nodes["feature"] == at
        tests["rank"][own] = np.searchsorted(values, nodes["threshold"][own])
    orders = [_left_to_right(tree.nodes) for tree in trees]
    tests["stays"] = np.concatenate([stays for _, stays in orders])
    leaves = [tree.leaves[order] for tree, (order, _) in zip(trees, orders, strict=True)]
    return {"tests": tests, "ordered_leaves": np.concatenate(leaves), "thresholds": thresholds}


def _steps(ranked: Tables, features: int) -> int:
    return int(ranked["thresholds"].size // features).bit_length() - 1 if ranked else 0


def _left_to_right(nodes: npt.NDArray[Any]) -> tuple[list[int], npt.NDArray[np.uint32]]:
    """Give the leaves in their order, and for each node those that stay when a row goes right."""
    if not len(nodes):
        return [0], np.empty(0, np.uint32)
    left, right = nodes["left"].tolist(), nodes["right"].tolist()
    order: list[int] = []
    stays = np.zeros(len(nodes), np.uint32)
    before: dict[int, int] = {}
    todo: list[tuple[int, bool]] = [(0, False)]
    while todo:
        at, left_done = todo.pop()
        if at < 0:
            order.append(~at)
        elif left_done:
            gone = (1 << len(order)) - (1 << before[at])
            stays[at] = ~gone & 0xFFFFFFFF
            todo.append((right[at], False))
        else:
            before[at] = len(order)
            todo += [(at, True), (left[at], False)]
    return order, stays
