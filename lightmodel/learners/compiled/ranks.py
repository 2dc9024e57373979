"""The records that trees.c reads, and thresholds and categories as ranks that fit a byte."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Table: TypeAlias = npt.NDArray[Any]
Tables: TypeAlias = dict[str, Table]

CATEGORICAL, DEFAULT_LEFT, MISSING_ZERO, MISSING_NAN = 1, 2, 4, 8  # flags of a node
IDENTITY, SIGMOID, SOFTMAX = 0, 1, 2  # from sums to scores
NUMBER, NUMBER_ZERO_MISSING, CATEGORY = 0, 1, 2  # kinds of a column of ranks

NODE = np.dtype("f8,i4,i4,i4,i2,i2")
NODE.names = ("threshold", "feature", "left", "right", "flags", "words")
COLUMN = np.dtype("i4,i4,i4,i2,i2")
COLUMN.names = ("feature", "start", "count", "kind", "missing")
TEST = np.dtype("u2,i1,u1")
TEST.names = ("column", "bound", "mask")

ZERO = float(np.float32(1e-35))  # what LightGBM takes for zero

MOST_THRESHOLDS = 255  # of a column
MOST_COLUMNS = 1 << 16
MOST_LEAVES = 256
LOWEST, HIGHEST = -128, 127
LEAVES_PER_BYTE = 8
WAYS = 16  # of dealing with a missing value: flags of a node

LeafRanges = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class _Ranks:
    """Columns of ranks; and for each node its column, and the bound that ranks on its left are below."""

    columns: Table
    thresholds: Table
    column: Table
    bound: Table


def ranks_of(tables: Tables, left_leaves: Sequence[LeafRanges]) -> Tables:
    """Return columns of ranks and the tests on them; none where there is too much for bytes.

    Args:
        tables: `nodes`, `sets`, `first_node` and `first_leaf` of a model.
        left_leaves: for each tree, and each node of it, the first and last leaf (exclusive) on its left.
    """
    leaves = np.diff(tables["first_leaf"])
    ranks = _with_categories(_of_numbers(tables["nodes"]), tables["nodes"], tables["sets"])
    if len(ranks.columns) > MOST_COLUMNS or leaves.max(initial=0) > MOST_LEAVES:
        ranks, left_leaves, leaves = _of_numbers(tables["nodes"][:0]), [], leaves[:0]
    first_leaf_byte = starts(-(-leaves // LEAVES_PER_BYTE))
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
        "first_test": starts(np.bincount(masked[:, 0], minlength=first_leaf_byte[-1])),
        "tests": tests,
    }


def _of_numbers(nodes: Table) -> _Ranks:
    """Rank the thresholds of each feature, apart for each way of dealing with a missing value."""
    flags = nodes["flags"]
    numeric = np.flatnonzero(flags & CATEGORICAL == 0)
    missing = flags & (MISSING_ZERO | MISSING_NAN)
    group = nodes["feature"] * WAYS + np.where(missing, missing | flags & DEFAULT_LEFT, 0)
    pairs = np.stack([group, nodes["threshold"]], axis=1)[numeric]
    known, own = np.unique(pairs, axis=0, return_inverse=True)
    groups = np.split(known, np.flatnonzero(np.diff(known[:, 0])) + 1) if len(known) else []
    parts = [part for group in groups for part in _parts(group)]
    column, bound = np.zeros(len(nodes), int), np.zeros(len(nodes), int)
    place = [(at, LOWEST + 1 + rank) for at, part in enumerate(parts) for rank in range(len(part))]
    pairs_placed = np.array(place, int).reshape(-1, 2)[own.reshape(-1)]
    column[numeric], bound[numeric] = pairs_placed.T
    padded = [_padded(part[:, 1]) for part in parts]
    places = starts(len(values) for values in padded)
    columns = [_column(part, int(start)) for part, start in zip(parts, places, strict=False)]
    thresholds = np.concatenate([np.empty(0), *padded])
    return _Ranks(np.array(columns, COLUMN), thresholds, column, bound)


def _parts(group: Table) -> Iterator[Table]:
    """Cut a group into columns that bytes can rank: each compares rightly, whatever lies outside it."""
    for at in range(0, len(group), MOST_THRESHOLDS):
        yield group[at : at + MOST_THRESHOLDS]


def _padded(thresholds: Table) -> Table:
    """Fill up to 2^n - 1 for the binary search."""
    room = (1 << len(thresholds).bit_length()) - 1
    return np.concatenate([thresholds, np.full(room - len(thresholds), np.inf)])


def _column(part: Table, start: int) -> tuple[int, int, int, int, int]:
    feature, way = divmod(int(part[0, 0]), WAYS)
    steps = len(part).bit_length()
    if not way:  # a missing value counts as 0
        return feature, start, steps, NUMBER, LOWEST + int((part[:, 1] < 0).sum())
    kind = NUMBER_ZERO_MISSING if way & MISSING_ZERO else NUMBER
    return feature, start, steps, kind, LOWEST if way & DEFAULT_LEFT else HIGHEST


def _with_categories(ranks: _Ranks, nodes: Table, sets: Table) -> _Ranks:
    """Add a column for each set of categories: rank 0 in it, and 1 outside."""
    found: dict[tuple[int, bytes], int] = {}
    columns: list[tuple[int, int, int, int, int]] = []
    for at in np.flatnonzero(nodes["flags"] & CATEGORICAL):
        feature, start = int(nodes["feature"][at]), int(nodes["threshold"][at])
        words = int(nodes["words"][at])
        key = (feature, sets[start : start + words].tobytes())
        if key not in found:
            found[key] = len(ranks.columns) + len(columns)
            columns.append((feature, start, words, CATEGORY, 0))
        ranks.column[at], ranks.bound[at] = found[key], 1
    return replace(ranks, columns=np.concatenate([ranks.columns, np.array(columns, COLUMN)]))


def _false_node_masks(
    left_leaves: Sequence[LeafRanges], first_node: Table, first_leaf_byte: Table
) -> Iterator[tuple[int, int, int]]:
    """Yield (byte of leaves, node, mask): the leaves that remain when the node is false."""
    firsts = zip(left_leaves, first_node.tolist(), first_leaf_byte.tolist(), strict=False)
    for tree, first, tree_byte in firsts:
        for node, (begin, end) in enumerate(tree, first):
            for byte in range(begin // LEAVES_PER_BYTE, -(-end // LEAVES_PER_BYTE)):
                start = LEAVES_PER_BYTE * byte
                low, high = max(begin - start, 0), min(end - start, LEAVES_PER_BYTE)
                yield tree_byte + byte, node, 255 & ~((1 << high) - (1 << low))


def starts(lengths: Iterable[int]) -> Table:
    """Return where each part starts when they are put in a row, and where the last one ends."""
    return np.cumsum([0, *lengths]).astype("i4")
