"""Thresholds and categories as ranks that fit a byte: the tables of `strike` in trees.c."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lightmodel.learners.compiled.layout import (
    CATEGORICAL,
    CATEGORY,
    COLUMN,
    DEFAULT_LEFT,
    MISSING_NAN,
    MISSING_ZERO,
    NUMBER,
    NUMBER_ZERO_MISSING,
    TEST,
    Table,
    Tables,
    starts,
)

MOST_THRESHOLDS = 255  # of a column
MOST_COLUMNS = 1 << 16
MOST_LEAVES = 256
LOWEST, HIGHEST = -128, 127
EIGHT = 8
WAYS = 16  # of dealing with a missing value: flags of a node

Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class _Ranks:
    """Columns of ranks; and for each node its column, and the bound that ranks on its left are below."""

    columns: Table
    thresholds: Table
    column: Table
    bound: Table


def ranks_of(tables: Tables, spans: Sequence[Spans]) -> Tables:
    """Give columns of ranks and the tests on them; none where there is too much for bytes.

    Args:
        tables: `nodes`, `sets`, `first_node` and `first_leaf` of a model.
        spans: for each tree, and each node of it, the first and last leaf (exclusive) on its left.
    """
    leaves = np.diff(tables["first_leaf"])
    ranks = _with_categories(_of_numbers(tables["nodes"]), tables["nodes"], tables["sets"])
    if len(ranks.columns) > MOST_COLUMNS or leaves.max(initial=0) > MOST_LEAVES:
        ranks, spans, leaves = _of_numbers(tables["nodes"][:0]), [], leaves[:0]
    first_eight = starts(-(-leaves // EIGHT))
    struck = np.array(list(_struck(spans, tables["first_node"], first_eight)), int).reshape(-1, 3)
    struck = struck[np.argsort(struck[:, 0], kind="stable")]
    tests = np.zeros(len(struck), TEST)
    tests["column"], tests["bound"] = ranks.column[struck[:, 1]], ranks.bound[struck[:, 1]]
    tests["stays"] = struck[:, 2]
    return {
        "columns": ranks.columns,
        "thresholds": ranks.thresholds,
        "first_eight": first_eight,
        "first_test": starts(np.bincount(struck[:, 0], minlength=first_eight[-1])),
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


def _struck(
    spans: Sequence[Spans], first_node: Table, first_eight: Table
) -> Iterator[tuple[int, int, int]]:
    """Yield, for each node and each eight leaves that it strikes at: the eight, the node, what stays."""
    for tree, first, eights in zip(spans, first_node.tolist(), first_eight.tolist(), strict=False):
        for node, (begin, end) in enumerate(tree, first):
            for eight in range(begin // EIGHT, -(-end // EIGHT)):
                low, high = max(begin - EIGHT * eight, 0), min(end - EIGHT * eight, EIGHT)
                yield eights + eight, node, 255 & ~((1 << high) - (1 << low))
