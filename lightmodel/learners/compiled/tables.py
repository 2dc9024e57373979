"""Convert LightGBM's model text to the flat tables that trees.c scores with.

Besides the nodes of the trees, the tables hold thresholds and categories as ranks that fit in a byte.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lightmodel.learners.compiled.shap_tables import TreeShares, shap_tables, tree_shares

Table: TypeAlias = npt.NDArray[Any]
Tables: TypeAlias = dict[str, Table]

CATEGORICAL, DEFAULT_LEFT, MISSING_ZERO, MISSING_NAN = 1, 2, 4, 8  # flags of a node
IDENTITY, SIGMOID, SOFTMAX = 0, 1, 2  # how sums become scores
_OBJECTIVES = {
    "binary": SIGMOID,
    "multiclass": SOFTMAX,
    **dict.fromkeys(("regression", "regression_l1", "huber", "quantile"), IDENTITY),
}
NUMBER, NUMBER_ZERO_MISSING, CATEGORY = 0, 1, 2  # kinds of a column of ranks

NODE = np.dtype("f8,i4,i4,i4,i2,i2")
NODE.names = ("threshold", "feature", "left", "right", "flags", "words")
COLUMN = np.dtype("i4,i4,i4,i2,i2")
COLUMN.names = ("feature", "start", "count", "kind", "missing")
TEST = np.dtype("u2,i1,u1")
TEST.names = ("column", "bound", "mask")

ZERO = float(np.float32(1e-35))  # LightGBM treats smaller absolute values as zero

MAX_THRESHOLDS = 255  # per column of ranks
MAX_COLUMNS = 1 << 16
MAX_LEAVES = 256
LOWEST, HIGHEST = -128, 127
LEAVES_PER_BYTE = 8
MISSING_MODES = 16  # ways to treat a missing value: all values of a node's flags

LeafRanges = Sequence[tuple[int, int]]


class NotCompiledError(Exception):
    """The model cannot be compiled or loaded compiled; the caller falls back to LightGBM."""


@dataclass(frozen=True)
class Tree:
    """One tree, its leaves numbered from left to right.

    Attributes:
        nodes: (nodes,) of NODE; a categorical node's threshold is the start of its set in `sets`.
        left_leaves: (nodes, 2) first and last leaf (exclusive) to the left of each node.
        leaves: (leaves,) values.
        sets: bit sets of the categorical nodes.
        shares: of the training rows; None if the model text has no usable counts.
    """

    nodes: Table
    left_leaves: list[tuple[int, int]]
    leaves: Table
    sets: Table
    shares: TreeShares | None


def tables_of(text: str) -> Tables:
    """Convert one model text to tables.

    Raises:
        NotCompiledError: the model uses something that trees.c does not support.
    """
    head, *parts = re.split(r"^Tree=\d+\n", text.partition("\nend of trees")[0], flags=re.MULTILINE)
    header = _fields(head)
    trees = [_tree(_fields(part)) for part in parts]
    shape = _shape(header, len(trees))
    sets_before = _starts(len(tree.sets) for tree in trees)
    for tree, before in zip(trees, sets_before, strict=False):
        tree.nodes["threshold"] += np.where(tree.nodes["flags"] & CATEGORICAL, before, 0)
    tables = {
        **shape,
        "first_node": _starts(len(tree.nodes) for tree in trees),
        "first_leaf": _starts(len(tree.leaves) for tree in trees),
        "nodes": _joined((tree.nodes for tree in trees), NODE),
        "leaves": _joined((tree.leaves for tree in trees), np.dtype("f8")),
        "sets": _joined((tree.sets for tree in trees), np.dtype("u4")),
        **shap_tables((tree.shares for tree in trees), int(header["num_tree_per_iteration"])),
    }
    left_leaves = [tree.left_leaves for tree in trees]
    return {**tables, **_ranks_of(tables, left_leaves)}


def _fields(part: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in part.splitlines())
    return {name: value for name, _, value in pairs}


def _shape(header: Mapping[str, str], trees: int) -> Tables:
    objective, *options = header.get("objective", "none").split()
    given = dict(option.split(":") for option in options if ":" in option)
    if objective not in _OBJECTIVES or "sqrt" in options:
        raise NotCompiledError(f"its objective is {header.get('objective', 'unknown')}")
    classes = int(header["num_tree_per_iteration"])
    rounds = max(trees // classes, 1) if "average_output" in header else 1
    shape = [trees, classes, int(header["max_feature_idx"]) + 1, _OBJECTIVES[objective]]
    scale = [float(given.get("sigmoid", 1)), rounds]
    return {"shape": np.array(shape, "i4"), "scale": np.array(scale, "f8")}


def _tree(facts: Mapping[str, str]) -> Tree:
    if facts.get("is_linear", "0") != "0":
        raise NotCompiledError("its leaves are linear models")
    values = _numbers(facts["leaf_value"], float)
    if int(facts["num_leaves"]) == 1:
        nodes, leaves = np.empty(0, NODE), values[:1]
        return Tree(nodes, [], leaves, np.empty(0, "u4"), tree_shares(nodes, leaves, [], []))
    nodes = np.zeros(int(facts["num_leaves"]) - 1, NODE)
    nodes["feature"] = _numbers(facts["split_feature"], int)
    nodes["threshold"] = _canonical(_numbers(facts["threshold"], float))
    nodes["flags"] = _numbers(facts["decision_type"], int)
    sets = _put_sets(nodes, facts)
    children = [_numbers(facts[f"{side}_child"], int).tolist() for side in ("left", "right")]
    order, left_leaves = _ordered_leaves(*children)
    position = {leaf: index for index, leaf in enumerate(order)}
    for side, child_list in zip(("left", "right"), children, strict=True):
        nodes[side] = [child if child >= 0 else ~position[~child] for child in child_list]
    node_counts, leaf_counts = (
        _numbers(facts.get(f"{kind}_count", ""), int).tolist() for kind in ("internal", "leaf")
    )
    in_order = [leaf_counts[leaf] for leaf in order] if leaf_counts else []
    leaves = values[order]
    shares = tree_shares(nodes, leaves, node_counts, in_order)
    return Tree(nodes, left_leaves, leaves, sets, shares)


def _numbers(text: str, kind: Callable[[str], float]) -> Table:
    return np.array([kind(word) for word in text.split()])


def _canonical(thresholds: Table) -> Table:
    """Move thresholds inside LightGBM's zero range to its edges: it treats all values inside as 0."""
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
    """Return the leaves from left to right, and the range of leaves to the left of each node."""
    nodes = range(len(left))
    if not all(child < 0 or child > at for at in nodes for child in (left[at], right[at])):
        raise NotCompiledError("its nodes are in an unknown order")
    sizes = [0] * len(left)
    for at in reversed(nodes):
        sizes[at] = sum(1 if child < 0 else sizes[child] for child in (left[at], right[at]))
    begins, order, left_leaves = [0] * len(left), [0] * (len(left) + 1), []
    for at in nodes:
        middle = begins[at] + (1 if left[at] < 0 else sizes[left[at]])
        left_leaves.append((begins[at], middle))
        for child, start in ((left[at], begins[at]), (right[at], middle)):
            if child < 0:
                order[start] = ~child
            else:
                begins[child] = start
    return order, left_leaves


def _joined(parts: Iterable[Table], kind: np.dtype[Any]) -> Table:
    return np.concatenate([np.empty(0, kind), *parts]).astype(kind)


@dataclass(frozen=True)
class _Ranks:
    """Columns of ranks; and each node's column and bound: smaller ranks go to the left."""

    columns: Table
    thresholds: Table
    column: Table
    bound: Table


def _ranks_of(tables: Tables, left_leaves: Sequence[LeafRanges]) -> Tables:
    """Return columns of ranks and the tests on them; none if the model is too large for bytes.

    Args:
        tables: `nodes`, `sets`, `first_node` and `first_leaf` of a model.
        left_leaves: by tree and node, the first and last leaf (exclusive) to the left of the node.
    """
    leaves = np.diff(tables["first_leaf"])
    ranks = _with_categories(_of_numbers(tables["nodes"]), tables["nodes"], tables["sets"])
    if len(ranks.columns) > MAX_COLUMNS or leaves.max(initial=0) > MAX_LEAVES:
        ranks, left_leaves, leaves = _of_numbers(tables["nodes"][:0]), [], leaves[:0]
    first_leaf_byte = _starts(-(-leaves // LEAVES_PER_BYTE))
    masks = _false_node_masks(left_leaves, tables["first_node"], first_leaf_byte)
    masked = np.array(list(masks), int).reshape(-1, 3)
    masked = masked[np.argsort(masked[:, 0], kind="stable")]
    tests = np.zeros(len(masked), TEST)
    tests["column"], tests["bound"] = ranks.column[masked[:, 1]], ranks.bound[masked[:, 1]]
    tests["mask"] = masked[:, 2]
    return {
        "columns": ranks.columns,
        "thresholds": ranks.thresholds,
        "first_leaf_byte": first_leaf_byte,
        "first_test": _starts(np.bincount(masked[:, 0], minlength=first_leaf_byte[-1])),
        "tests": tests,
    }


def _of_numbers(nodes: Table) -> _Ranks:
    """Rank the thresholds of each feature, separately for each treatment of missing values."""
    flags = nodes["flags"]
    numeric = np.flatnonzero(flags & CATEGORICAL == 0)
    missing = flags & (MISSING_ZERO | MISSING_NAN)
    group = nodes["feature"] * MISSING_MODES + np.where(missing, missing | flags & DEFAULT_LEFT, 0)
    pairs = np.stack([group, nodes["threshold"]], axis=1)[numeric]
    distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
    groups = np.split(distinct, np.flatnonzero(np.diff(distinct[:, 0])) + 1)
    parts = [  # split so that ranks fit in a byte; comparisons within a part stay correct
        group[at : at + MAX_THRESHOLDS]
        for group in groups
        for at in range(0, len(group), MAX_THRESHOLDS)
    ]
    column, bound = np.zeros(len(nodes), int), np.zeros(len(nodes), int)
    place = [(at, LOWEST + 1 + rank) for at, part in enumerate(parts) for rank in range(len(part))]
    pairs_placed = np.array(place, int).reshape(-1, 2)[inverse.reshape(-1)]
    column[numeric], bound[numeric] = pairs_placed.T
    padded = [_padded(part[:, 1]) for part in parts]
    places = _starts(len(values) for values in padded)
    columns = [_column(part, int(start)) for part, start in zip(parts, places, strict=False)]
    thresholds = np.concatenate([np.empty(0), *padded])
    return _Ranks(np.array(columns, COLUMN), thresholds, column, bound)


def _padded(thresholds: Table) -> Table:
    """Pad to a length of 2^n - 1 for the binary search."""
    length = (1 << len(thresholds).bit_length()) - 1
    return np.concatenate([thresholds, np.full(length - len(thresholds), np.inf)])


def _column(part: Table, start: int) -> tuple[int, int, int, int, int]:
    feature, mode = divmod(int(part[0, 0]), MISSING_MODES)
    steps = len(part).bit_length()
    if not mode:  # a missing value counts as 0
        return feature, start, steps, NUMBER, LOWEST + int((part[:, 1] < 0).sum())
    kind = NUMBER_ZERO_MISSING if mode & MISSING_ZERO else NUMBER
    return feature, start, steps, kind, LOWEST if mode & DEFAULT_LEFT else HIGHEST


def _with_categories(ranks: _Ranks, nodes: Table, sets: Table) -> _Ranks:
    """Add a column for each set of categories: rank 0 inside the set, and 1 outside."""
    column_of_set: dict[tuple[int, bytes], int] = {}
    columns: list[tuple[int, int, int, int, int]] = []
    for at in np.flatnonzero(nodes["flags"] & CATEGORICAL):
        feature, start = int(nodes["feature"][at]), int(nodes["threshold"][at])
        words = int(nodes["words"][at])
        key = (feature, sets[start : start + words].tobytes())
        if key not in column_of_set:
            column_of_set[key] = len(ranks.columns) + len(columns)
            columns.append((feature, start, words, CATEGORY, 0))
        ranks.column[at], ranks.bound[at] = column_of_set[key], 1
    return replace(ranks, columns=np.concatenate([ranks.columns, np.array(columns, COLUMN)]))


def _false_node_masks(
    left_leaves: Sequence[LeafRanges], first_node: Table, first_leaf_byte: Table
) -> Iterator[tuple[int, int, int]]:
    """Yield (byte of leaves, node, mask of the leaves that remain when the node is false)."""
    firsts = zip(left_leaves, first_node.tolist(), first_leaf_byte.tolist(), strict=False)
    for tree, first, tree_byte in firsts:
        for node, (begin, end) in enumerate(tree, first):
            for byte in range(begin // LEAVES_PER_BYTE, -(-end // LEAVES_PER_BYTE)):
                start = LEAVES_PER_BYTE * byte
                low, high = max(begin - start, 0), min(end - start, LEAVES_PER_BYTE)
                yield tree_byte + byte, node, 255 & ~((1 << high) - (1 << low))


def _starts(lengths: Iterable[int]) -> Table:
    """Return the start of each part when all are concatenated, and the end of the last one."""
    return np.cumsum([0, *lengths]).astype("i4")
