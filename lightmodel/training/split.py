"""Decide on which side of the split, and in which fold, a row falls.

A row's side is a hash of its id (or of its features) and the seed, compared with the share of the test
rows. So it keeps its side when the table grows or is sorted anew, equal rows stay together, and rows
can be named that another model with the same settings was never trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
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
from lightmodel.tables.encode import to_numbers

Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Method:
    """How to split: stratified, random, time or group; the last two by a column."""

    kind: str
    column: str = ""

    @classmethod
    def parse(cls, text: str, *, has_classes: bool) -> "Method":
        """Read `split.method`, resolving auto."""
        if text == "auto":
            return cls("stratified" if has_classes else "random")
        kind, _, column = text.partition(":")
        return cls(kind, column)


def row_keys(table: pa.Table, contract: Contract, method: Method) -> Keys:
    """Hash what names each row: its group, else its id, else its features. Gives (rows,) uint64."""
    if method.kind == "group":
        names: tuple[str, ...] = (method.column,)
    elif contract.id and contract.id.name in table.column_names:
        names = (contract.id.name,)
    else:
        names = contract.feature_names
    types = {column.name: column.type for column in contract.columns}
    columns = [_hashable(table[name], types.get(name)) for name in names]
    hashes = _hashes([rounded for rounded, _, _ in columns])
    beyond = np.any([mask for _, _, mask in columns], axis=0)
    if beyond.any():
        hashes[beyond] = _hashes([exact for _, exact, _ in columns])[beyond]
    return hashes


def _hashes(columns: Sequence[npt.NDArray[np.generic]]) -> Keys:
    frame = pd.DataFrame(dict(enumerate(columns)))
    hashes = pd.util.hash_pandas_object(frame, index=False, categorize=False)
    return hashes.to_numpy().astype(np.uint64)


_Values = npt.NDArray[np.generic]


def _hashable(values: pa.ChunkedArray, kind: ColumnType | None) -> tuple[_Values, _Values, Mask]:
    """Return values whose hash does not depend on how a whole number happened to be read.

    Numbers that float64 cannot hold come in a second array, as texts, with a mask of their rows.
    """
    if kind is None or not (kind.is_numeric or kind is ColumnType.BOOLEAN):
        texts = _texts(values)
        return texts, texts, _none(values)
    is_text = pa.types.is_string(values.type)
    numbers = to_numbers(values, ()) if is_text else float_vector(values)
    numbers = numbers + 0.0  # -0.0 becomes 0.0
    beyond = (
        np.abs(numbers) >= EXACT if is_text or pa.types.is_integer(values.type) else _none(values)
    )
    if is_text:
        beyond |= is_marker(numbers, INVALID)
    return numbers, _texts(values) if beyond.any() else numbers, beyond


def _none(values: pa.ChunkedArray) -> Mask:
    return np.zeros(len(values), dtype=np.bool_)


def _texts(values: pa.ChunkedArray) -> _Values:
    return np.asarray(values.cast(pa.string()).to_pandas(), dtype=object)


def uniform(keys: Keys, seed: int, purpose: int = 0) -> Vector:
    """Map keys to [0, 1) by a seeded mixing function (the finaliser of splitmix64)."""
    salt = np.random.default_rng([seed, purpose]).integers(2**64, dtype=np.uint64)
    mixed = keys ^ salt
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def side_for_testing(draws: Vector, test_share: float, classes: Vector | None) -> Mask:
    """Return which rows are for testing.

    Args:
        draws: (rows,) from `uniform`.
        test_share: the expected share.
        classes: (rows,) class codes; then each class of two rows or more is on both sides.
    """
    side: Mask = draws < test_share
    if classes is None:
        return side
    for code in np.unique(classes):
        rows = np.flatnonzero(classes == code)
        inside = side[rows]
        if inside.all():
            side[rows[draws[rows] == draws[rows].max()]] = False
        elif not inside.any():
            side[rows[draws[rows] == draws[rows].min()]] = True
        if side[rows].all() or not side[rows].any():  # equal rows only: training comes first
            side[rows] = False
    return side


def later_side(times: pa.ChunkedArray, test_share: float) -> Mask:
    """Put the latest rows on the test side; rows of one moment stay together."""
    ranks = _time_ranks(times)
    first_tested = np.quantile(ranks, 1 - test_share, method="higher")
    return ranks >= max(first_tested, 1)


def _time_ranks(times: pa.ChunkedArray) -> Codes:
    """Rank moments from 0; equal moments share a rank."""
    ranks: Codes = pc.rank(times.combine_chunks(), tiebreaker="dense").to_numpy().astype(np.int64)
    return ranks - 1


def fold_numbers(draws: Vector, folds: int, classes: Vector | None) -> Codes:
    """Deal rows to folds 0 … folds-1, equal rows together, each class evenly.

    Args:
        draws: (rows,) from `uniform`; equal draws are equal rows.
        folds: how many; fewer come out where there are fewer distinct rows.
        classes: (rows,) class codes, or None to deal all rows alike.
    """
    numbers = np.zeros(len(draws), dtype=np.int64)
    groups = np.zeros(len(draws)) if classes is None else classes
    dealt = 0
    for code in np.unique(groups):
        rows = np.flatnonzero(groups == code)
        distinct, position = np.unique(draws[rows], return_inverse=True)
        numbers[rows] = (position + dealt) % folds
        dealt += len(distinct)
    return numbers


def time_blocks(times: pa.ChunkedArray, folds: int) -> Codes:
    """Cut time into folds+1 blocks: block 0 only trains (-1), block i is fold i-1, held out once."""
    ranks = _time_ranks(times)
    edges = np.quantile(ranks, np.linspace(0, 1, folds + 2)[1:-1], method="higher")
    return np.searchsorted(edges, ranks, side="right") - 1
