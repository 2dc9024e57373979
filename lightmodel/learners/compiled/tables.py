"""LightGBM's model text as the flat tables that trees.c scores with."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightmodel.learners.compiled.build import NotCompiledError
from lightmodel.learners.compiled.ranks import (
    CATEGORICAL,
    NODE,
    ZERO,
    Table,
    Tables,
    ranks_of,
    starts,
)

IDENTITY, SIGMOID, SOFTMAX = 0, 1, 2
_OBJECTIVES = {"binary": SIGMOID, "multiclass": SOFTMAX, "regression": IDENTITY}


@dataclass(frozen=True)
class Tree:
    """One tree, its leaves numbered from left to right.

    Attributes:
        nodes: (nodes,) of NODE; a categorical node's threshold is the place of its set in `sets`.
        left_leaves: (nodes, 2) first and last leaf, exclusive, on each node's left.
        leaves: (leaves,) values.
        sets: bits of the categorical nodes.
    """

    nodes: Table
    left_leaves: list[tuple[int, int]]
    leaves: Table
    sets: Table


def tables_of(text: str) -> Tables:
    """Turn one model text into tables.

    Raises:
        NotCompiledError: it holds something that trees.c does not know.
    """
    head, *parts = re.split(r"^Tree=\d+\n", text.partition("\nend of trees")[0], flags=re.MULTILINE)
    facts = _fields(head)
    trees = [_tree(_fields(part)) for part in parts]
    shape = _shape(facts, len(trees))
    sets_before = starts(len(tree.sets) for tree in trees)
    for tree, before in zip(trees, sets_before, strict=False):
        tree.nodes["threshold"] += np.where(tree.nodes["flags"] & CATEGORICAL, before, 0)
    tables = {
        **shape,
        "first_node": starts(len(tree.nodes) for tree in trees),
        "first_leaf": starts(len(tree.leaves) for tree in trees),
        "nodes": _joined((tree.nodes for tree in trees), NODE),
        "leaves": _joined((tree.leaves for tree in trees), np.dtype("f8")),
        "sets": _joined((tree.sets for tree in trees), np.dtype("u4")),
    }
    left_leaves = [tree.left_leaves for tree in trees]
    return {**tables, **ranks_of(tables, left_leaves)}


def _fields(part: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in part.splitlines())
    return {name: value for name, _, value in pairs}


def _shape(facts: Mapping[str, str], trees: int) -> Tables:
    objective, *options = facts.get("objective", "none").split()
    given = dict(option.split(":") for option in options if ":" in option)
    if objective not in _OBJECTIVES or "sqrt" in options:
        raise NotCompiledError(f"its objective is {facts.get('objective', 'unknown')}")
    classes = int(facts["num_tree_per_iteration"])
    rounds = max(trees // classes, 1) if "average_output" in facts else 1
    return {
        "shape": np.array(
            [trees, classes, int(facts["max_feature_idx"]) + 1, _OBJECTIVES[objective]], "i4"
        ),
        "scale": np.array([float(given.get("sigmoid", 1)), rounds], "f8"),
    }


def _tree(facts: Mapping[str, str]) -> Tree:
    if facts.get("is_linear", "0") != "0":
        raise NotCompiledError("its leaves are linear models")
    values = _numbers(facts["leaf_value"], float)
    if int(facts["num_leaves"]) == 1:
        return Tree(np.empty(0, NODE), [], values[:1], np.empty(0, "u4"))
    nodes = np.zeros(int(facts["num_leaves"]) - 1, NODE)
    nodes["feature"] = _numbers(facts["split_feature"], int)
    nodes["threshold"] = _canonical(_numbers(facts["threshold"], float))
    nodes["flags"] = _numbers(facts["decision_type"], int)
    sets = _put_sets(nodes, facts)
    children = [_numbers(facts[f"{side}_child"], int).tolist() for side in ("left", "right")]
    order, left_leaves = _ordered_leaves(*children)
    place = {leaf: at for at, leaf in enumerate(order)}
    for side, own in zip(("left", "right"), children, strict=True):
        nodes[side] = [child if child >= 0 else ~place[~child] for child in own]
    return Tree(nodes, left_leaves, values[order], sets)


def _numbers(text: str, kind: Callable[[str], float]) -> Table:
    return np.array([kind(word) for word in text.split()])


def _canonical(thresholds: Table) -> Table:
    """Move thresholds within LightGBM's zero to its edges: it scores every value in there as 0."""
    below, above = (thresholds >= -ZERO) & (thresholds < 0), (thresholds >= 0) & (thresholds < ZERO)
    return np.where(below, np.nextafter(-ZERO, -np.inf), np.where(above, ZERO, thresholds))


def _put_sets(nodes: Table, facts: Mapping[str, str]) -> Table:
    if not int(facts["num_cat"]):
        return np.empty(0, "u4")
    bounds = _numbers(facts["cat_boundaries"], int)
    categorical = np.flatnonzero(nodes["flags"] & CATEGORICAL)
    numbers = nodes["threshold"][categorical].astype(int)
    nodes["threshold"][categorical] = bounds[numbers]
    nodes["words"][categorical] = bounds[numbers + 1] - bounds[numbers]
    return _numbers(facts["cat_threshold"], int).astype("u4")


def _ordered_leaves(left: list[int], right: list[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the leaves from left to right, and the range of leaves on each node's left."""
    nodes = range(len(left))
    if not all(child < 0 or child > at for at in nodes for child in (left[at], right[at])):
        raise NotCompiledError("its nodes are in an unknown order")
    sizes = [0] * len(left)
    for at in reversed(nodes):
        sizes[at] = sum(1 if child < 0 else sizes[child] for child in (left[at], right[at]))
    starts, order, left_leaves = [0] * len(left), [0] * (len(left) + 1), []
    for at in nodes:
        middle = starts[at] + (1 if left[at] < 0 else sizes[left[at]])
        left_leaves.append((starts[at], middle))
        for child, start in ((left[at], starts[at]), (right[at], middle)):
            if child < 0:
                order[start] = ~child
            else:
                starts[child] = start
    return order, left_leaves


def _joined(parts: Iterable[Table], kind: np.dtype[Any]) -> Table:
    return np.concatenate([np.empty(0, kind), *parts]).astype(kind)
