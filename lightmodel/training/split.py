"""Assign rows to the training or test rows, and to folds.

A row is a test row if the hash of its id (or of its features) and the seed is below the test share. So
it keeps its part when the table grows or is sorted differently, equal rows stay together, and it is
known which rows another model with the same settings was not trained on. Where few features make many
rows equal, each is hashed by itself: see `equal_rows_are_apart`.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import (
    EXACT,
    INVALID,
    Codes,
    Mask,
    Vector,
    float_vector,
    is_marker,
)
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.contract.time_arrays import as_numbers
from lightmodel.tables.encode import dictionary_encoded, to_numbers

Keys = npt.NDArray[np.uint64]

_REPEATED = 0.05  # of the rows; fewer equal ones do no harm together
_FEW_COLUMNS = 8
_BLOCK_ROWS = 1 << 16  # whose texts are in memory at once
_DIFFERING = 0.05  # of the groups of equal rows; among copies, some targets may be mistakes


@dataclass(frozen=True)
class Method:
    """The split method: stratified, random, time or group; the last two use a column."""

    kind: str
    column: str = ""

    @classmethod
    def parse(cls, text: str, *, has_classes: bool) -> "Method":
        """Parse `split.method`, and resolve auto."""
        if text == "auto":
            return cls("stratified" if has_classes else "random")
        kind, _, column = text.partition(":")
        return cls(kind, column)


def row_keys(table: pa.Table, contract: Contract, method: Method) -> Keys:
    """Return (rows,) uint64 hashes of each row's group, else its id, else its features.

    If equal rows are apart, the target and the number of the row among those that equal it in both are
    hashed as well: which of such rows is which does not matter, in whatever order they are.
    """
    if method.kind == "group":
        return _keys(table, contract, (method.column,))
    if contract.id and contract.id.name in table.column_names:
        return _keys(table, contract, (contract.id.name,))
    keys = _keys(table, contract, contract.feature_names)
    if not contract.equal_rows_apart:
        return keys
    keys = _hashes([keys, _keys(table, contract, (contract.target.name,))])
    return _hashes([keys, _earlier_equals(keys)])


def equal_rows_are_apart(table: pa.Table, contract: Contract) -> bool:
    """Return whether rows with the same features are different cases, and not copies of one.

    Copies have the same target. Cases that merely share the values of a few features differ in it now
    and then; kept together, they would make folds of which the others know nothing.
    """
    names = contract.feature_names
    if _repeats(_keys(table, contract, names[:_FEW_COLUMNS])) is None:
        return False  # most tables are told by few columns
    keys = _keys(table, contract, names)
    repeats = _repeats(keys)
    if repeats is None:
        return False
    groups = _numbered(keys[repeats])
    targets = _numbered(_keys(table, contract, (contract.target.name,))[repeats])
    pairs = np.unique(np.stack([groups, targets]), axis=1)
    return bool((np.bincount(pairs[0]) > 1).mean() > _DIFFERING)


def _repeats(keys: Keys) -> Mask | None:
    """Return the (rows,) mask of those that share their key with another; None if they are few."""
    groups = _numbered(keys)
    repeats: Mask = np.bincount(groups)[groups] > 1
    return repeats if repeats.mean() >= _REPEATED else None


def _earlier_equals(keys: Keys) -> Codes:
    """Return for each row the number of rows before it with the same key."""
    groups = _numbered(keys)
    order = np.argsort(groups, kind="stable")
    counts = np.bincount(groups)
    earlier = np.empty(len(keys), np.int64)
    earlier[order] = np.arange(len(keys)) - np.repeat(np.cumsum(counts) - counts, counts)
    return earlier


def _numbered(keys: Keys) -> Codes:
    """Return for each row the number of its key, in the order in which keys appear."""
    numbers: Codes = pa.array(keys).dictionary_encode().indices.to_numpy().astype(np.int64)
    return numbers


def _keys(table: pa.Table, contract: Contract, names: Sequence[str]) -> Keys:
    """Return (rows,) hashes of the values of some columns."""
    types = {column.name: column.type for column in contract.columns}
    features = frozenset(contract.feature_names)
    rounded, exact = _Combination(table.num_rows, len(names)), None
    inexact = np.zeros(table.num_rows, np.bool_)
    for name in names:  # one after the other, because the hashes of all take as much as the table
        values = as_numbers(table[name]) if name in features else table[name]
        hashes, exact_hashes, mask = _hashable(values, types.get(name))
        if exact is None and mask.any():
            exact = rounded.copy()
        rounded.add(hashes)
        if exact is not None:
            exact.add(exact_hashes)
        inexact |= mask
    return rounded.keys if exact is None else np.where(inexact, exact.keys, rounded.keys)


def _hashes(columns: Sequence[npt.NDArray[np.generic]]) -> Keys:
    combination = _Combination(len(columns[0]), len(columns))
    for column in columns:
        combination.add(_hash(column))
    return combination.keys


def _hash(values: npt.NDArray[np.generic]) -> Keys:
    """Return (rows,) hashes of numbers of 8 bytes, or of texts, as pandas' `hash_array` does."""
    if values.dtype == np.object_:
        import pandas as pd  # half of what a run on a small table of numbers would import

        texts: Keys = pd.util.hash_array(values, categorize=False)
        return texts
    return _mixed(values.view(np.uint64))


def _mixed(keys: Keys) -> Keys:
    """Spread what differs over all bits, as the last step of the generator splitmix64 does."""
    mixed = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


class _Combination:
    """The hashes of some columns, combined as pandas' `hash_pandas_object` does for a frame.

    Args:
        rows: in each column.
        columns: how many will be added.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self._combined = np.full(rows, 0x345678, np.uint64)
        self._factor, self._left = np.uint64(1_000_003), columns

    def copy(self) -> "_Combination":
        """Return one to which other columns may be added."""
        other = copy(self)
        other._combined = self._combined.copy()
        return other

    def add(self, hashes: Keys) -> None:
        """Add the next column."""
        self._combined = (self._combined ^ hashes) * self._factor
        self._factor += np.uint64(82_520 + 2 * self._left)
        self._left -= 1

    @property
    def keys(self) -> Keys:
        """(rows,) of all columns."""
        return self._combined + np.uint64(97_531)


def _hashable(values: pa.ChunkedArray, kind: ColumnType | None) -> tuple[Keys, Keys, Mask]:
    """Return hashes that are the same for a whole number read as integer, float or text.

    Numbers that float64 cannot represent are hashed as texts in the second array; the mask marks their
    rows.
    """
    has_numbers = kind is not None and (kind.has_range or kind is ColumnType.BOOLEAN)
    if not has_numbers or pa.types.is_temporal(values.type):
        texts = _hashed_texts(values)
        return texts, texts, _no_rows(values)
    is_text = pa.types.is_string(values.type)
    numbers = to_numbers(values, ()) if is_text else float_vector(values)
    numbers = numbers + 0.0  # -0.0 becomes 0.0
    may_be_inexact = is_text or pa.types.is_integer(values.type)
    inexact = np.abs(numbers) >= EXACT if may_be_inexact else _no_rows(values)
    if is_text:
        inexact |= is_marker(numbers, INVALID)
    hashes = _hash(numbers)
    return hashes, _hashed_texts(values) if inexact.any() else hashes, inexact


def _no_rows(values: pa.ChunkedArray) -> Mask:
    return np.zeros(len(values), dtype=np.bool_)


def _hashed_texts(values: pa.ChunkedArray) -> Keys:
    """Return the hashes of values as texts, each distinct one of a block hashed once."""
    starts = range(0, max(1, len(values)), _BLOCK_ROWS)
    return np.concatenate([_hashed_block(values.slice(at, _BLOCK_ROWS)) for at in starts])


def _hashed_block(values: pa.ChunkedArray) -> Keys:
    encoded = dictionary_encoded(values.cast(pa.string()))
    distinct = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
    places = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
    hashed: Keys = _hash(distinct)[places]
    return hashed


def uniform_draws(keys: Keys, seed: int, purpose: int = 0) -> Vector:
    """Map keys to pseudorandom numbers in [0, 1), by the seed."""
    salt = np.random.default_rng([seed, purpose]).integers(2**64, dtype=np.uint64)
    return (_mixed(keys ^ salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def random_split(draws: Vector, test_share: float, classes: Vector | None) -> Mask:
    """Return the (rows,) mask of the test rows.

    Args:
        draws: (rows,) from `uniform_draws`.
        test_share: the expected share of test rows.
        classes: (rows,) class codes; then each class of two rows or more is in both parts.
    """
    mask: Mask = draws < test_share
    if classes is None:
        return mask
    for code in np.unique(classes):
        rows = np.flatnonzero(classes == code)
        tested = mask[rows]
        if tested.all():
            mask[rows[draws[rows] == draws[rows].max()]] = False
        elif not tested.any():
            mask[rows[draws[rows] == draws[rows].min()]] = True
        if mask[rows].all() or not mask[rows].any():  # all rows are equal: use them for training
            mask[rows] = False
    return mask


def time_split(times: pa.ChunkedArray, test_share: float) -> Mask:
    """Return the (rows,) mask of the latest rows, for testing; rows of equal time stay together."""
    ranks = _time_ranks(times)
    first_tested = np.quantile(ranks, 1 - test_share, method="higher")
    return ranks >= max(first_tested, 1)


def _time_ranks(times: pa.ChunkedArray) -> Codes:
    """Rank times from 0; equal times share a rank."""
    ranks: Codes = pc.rank(times.combine_chunks(), tiebreaker="dense").to_numpy().astype(np.int64)
    return ranks - 1


def fold_numbers(draws: Vector, folds: int, classes: Vector | None) -> Codes:
    """Return each row's fold, 0 … folds-1; equal rows share one, and classes are spread evenly.

    Args:
        draws: (rows,) from `uniform_draws`; equal draws are equal rows.
        folds: number of folds; fewer are used if there are fewer distinct rows.
        classes: (rows,) class codes, or None to ignore classes.
    """
    numbers = np.zeros(len(draws), dtype=np.int64)
    groups = np.zeros(len(draws)) if classes is None else classes
    assigned = 0
    for code in np.unique(groups):
        rows = np.flatnonzero(groups == code)
        distinct, position = np.unique(draws[rows], return_inverse=True)
        numbers[rows] = (position + assigned) % folds
        assigned += len(distinct)
    return numbers


def time_blocks(times: pa.ChunkedArray, folds: int) -> Codes:
    """Return each row's fold, of folds+1 blocks of time: block 0 only trains (-1), block i is fold i-1."""
    ranks = _time_ranks(times)
    edges = np.quantile(ranks, np.linspace(0, 1, folds + 2)[1:-1], method="higher")
    return np.searchsorted(edges, ranks, side="right") - 1
