"""A reader of rows that needs no compiled library: Arrow."""

from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from lightmodel.contract.cells import IN_NO_ROW, Matrix, number_in
from lightmodel.tables.encode import booleans_from, numbers_from
from lightmodel.tables.row_readers import (
    CellKind,
    Layout,
    RawRows,
    is_blank_line,
    open_quote,
    rows_of,
)


@dataclass(frozen=True)
class _Columns:
    """A layout, made ready for Arrow; the cells that are not ignored count from 0 here.

    Attributes:
        names: of all cells of a row.
        plain: how cells are converted where numbers are written plainly.
        texts: how they are converted where all come as text.
        cells: of each kind, the columns and their places in the answer.
        words: what means no value and is no number: a number is compared as such, later.
    """

    names: list[str]
    plain: arrow_csv.ConvertOptions
    texts: arrow_csv.ConvertOptions
    cells: Mapping[CellKind, tuple[list[int], list[int]]]
    words: list[str]


@lru_cache(64)
def _columns(layout: Layout) -> _Columns:
    names = [str(at) for at in range(len(layout.kinds))]
    wanted = [at for at, kind in enumerate(layout.kinds) if kind] or [0]
    words = [text for text in layout.missing if number_in(text, ()) != number_in(text, ())]

    def converted(number: pa.DataType) -> arrow_csv.ConvertOptions:
        types = {int(CellKind.NUMBER): number}
        return arrow_csv.ConvertOptions(
            column_types={names[at]: types.get(layout.kinds[at], pa.string()) for at in wanted},
            include_columns=[names[at] for at in wanted],
            null_values=["", *words],
            decimal_point=layout.decimal,
        )

    cells: dict[CellKind, tuple[list[int], list[int]]] = {kind: ([], []) for kind in CellKind}
    for number, at in enumerate(wanted):
        columns, places = cells[CellKind(layout.kinds[at])]
        columns.append(number)
        places.append(layout.places[at])
    return _Columns(names, converted(pa.float64()), converted(pa.string()), cells, words)


def read_rows(layout: Layout, text: bytes, *, final: bool) -> RawRows:
    """Read rows; see `RowReader`."""
    rows = rows_of(layout.delimiter, layout.quote, single=len(layout.kinds) == 1, parted=True)
    whole = text + b"\n" if final else text
    cut = rows.end(whole)
    if final and cut < len(whole):
        raise open_quote()
    parted, columns = rows.regular(whole[:cut]), _columns(layout)
    if not parted.strip(b"\r\n"):
        nothing = np.empty((0, layout.width))
        return RawRows(nothing, tuple([] for _ in range(layout.texts)), min(cut, len(text)), 0)
    try:
        table, ragged = _parted(layout, parted, columns.names, columns.plain)
        numbers = _plain_numbers(table, layout)
    except pa.ArrowInvalid:
        table, ragged = _parted(layout, parted, columns.names, columns.texts)
        numbers = _numbers(table, layout)
    for at, place in zip(*columns.cells[CellKind.BOOLEAN], strict=True):
        numbers[:, place] = booleans_from(table.column(at), layout.missing, layout.decimal)
    regular = np.ones(table.num_rows + len(ragged), dtype=np.bool_)
    regular[ragged] = False
    every = np.full((len(regular), layout.width), IN_NO_ROW)
    every[regular] = numbers
    texts = tuple(
        _text_columns(table.column(at), regular.tolist()) for at in columns.cells[CellKind.TEXT][0]
    )
    return RawRows(every, texts, min(cut, len(text)), len(ragged))


def _parted(
    layout: Layout, text: bytes, names: list[str], convert: arrow_csv.ConvertOptions
) -> tuple[pa.Table, list[int]]:
    """Part regular rows into cells.

    Returns:
        the cells that are not ignored, and the places of rows with too few or too many.

    Raises:
        ArrowInvalid: a number is not written plainly.
    """
    ragged: list[int] = []
    blank = 0

    def note(row: arrow_csv.InvalidRow) -> str:
        nonlocal blank
        if is_blank_line(row.text, layout.delimiter):
            blank += 1
        else:
            ragged.append(row.number - 1 - blank)
        return "skip"

    if text.startswith(BOM_UTF8):  # here it is a letter like others, which Arrow would take away
        text = b"\n" + text
    table = arrow_csv.read_csv(
        pa.BufferReader(text),
        arrow_csv.ReadOptions(column_names=names, block_size=len(text) + 1, use_threads=False),
        arrow_csv.ParseOptions(
            delimiter=layout.delimiter,
            quote_char=layout.quote,
            newlines_in_values=True,
            invalid_row_handler=note,
        ),
        convert,
    )
    return table, ragged


def _plain_numbers(table: pa.Table, layout: Layout) -> Matrix:
    """Return (rows, width) of cells whose numbers Arrow has read; booleans are not yet there.

    Raises:
        ArrowInvalid: a number is a word, such as nan(x).
    """
    numbers = np.empty((table.num_rows, layout.width))
    columns, places = _columns(layout).cells[CellKind.NUMBER]
    start = 0
    for batch in table.select(columns).to_batches() if columns else ():
        read = batch.to_tensor(null_to_nan=True).to_numpy()
        if np.isnan(read).sum() > sum(column.null_count for column in batch.columns):
            raise pa.ArrowInvalid("a word")
        numbers[start : start + len(read), places] = read
        start += len(read)
    return numbers


def _numbers(table: pa.Table, layout: Layout) -> Matrix:
    """Return (rows, width) of cells that are text; booleans are not yet there."""
    numbers, known = np.empty((table.num_rows, layout.width)), _columns(layout)
    for at, place in zip(*known.cells[CellKind.NUMBER], strict=True):
        numbers[:, place] = numbers_from(table.column(at), known.words, layout.decimal)
    return numbers


def _text_columns(values: pa.ChunkedArray, regular: Sequence[bool]) -> list[str | None]:
    texts = iter(values.to_pylist())
    return [next(texts).strip() if there else None for there in regular]
