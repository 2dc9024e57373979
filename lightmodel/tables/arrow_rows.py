"""Rows of text through Arrow, where there is no compiled reader: as training reads them."""

from codecs import BOM_UTF8
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from lightmodel.contract.arrays import Matrix, float_vector
from lightmodel.contract.cells import (
    BLANKS,
    IN_NO_ROW,
    OPEN_QUOTE,
    CellKind,
    Layout,
    RawRows,
    number_in,
)
from lightmodel.errors import DataError
from lightmodel.tables.encode import booleans_from, numbers_from, trimmed
from lightmodel.tables.whitespace import regular_rows_of


def read_rows(layout: Layout, text: bytes, *, final: bool) -> RawRows:
    """Read rows; see `RowReader`."""
    rows = regular_rows_of(layout.delimiter, layout.quote, single=len(layout.kinds) == 1)
    whole = text + b"\n" if final else text
    cut = rows.end(whole)
    if final and cut < len(whole):
        raise DataError(OPEN_QUOTE, hint="double the quotes inside a quoted cell")
    table, ragged = _table(layout, rows.regular(whole[:cut]))
    total = table.num_rows + len(ragged)
    regular = np.ones(total, dtype=np.bool_)
    regular[ragged] = False
    numbers = np.full((total, layout.width), IN_NO_ROW)
    numbers[regular] = _numbers(layout, table)
    return RawRows(
        numbers, _texts(layout, table, regular.tolist()), min(cut, len(text)), len(ragged)
    )


def _table(layout: Layout, text: bytes) -> tuple[pa.Table, list[int]]:
    """Part regular rows; numbers as such if all cells are written plainly. Gives ragged rows, too."""
    try:
        table, ragged = _parsed(layout, text, [CellKind.NUMBER])
    except pa.ArrowInvalid:
        return _parsed(layout, text, [])
    numbers = (column for column in table.columns if pa.types.is_floating(column.type))
    if any(pc.any(pc.is_nan(column)).as_py() for column in numbers):
        return _parsed(layout, text, [])  # Arrow also takes nan(x)
    return table, ragged


def _parsed(layout: Layout, text: bytes, numbers: Sequence[CellKind]) -> tuple[pa.Table, list[int]]:
    names = [str(at) for at in range(len(layout.kinds))]
    wanted = [name for name, kind in zip(names, layout.kinds, strict=True) if kind] or names[:1]
    types = {
        name: pa.float64() if kind in numbers else pa.string()
        for name, kind in zip(names, layout.kinds, strict=True)
    }
    if not text.strip(b"\r\n"):
        return pa.table({name: pa.array([], types[name]) for name in wanted}), []
    ragged: list[int] = []
    blank = 0

    def note(row: arrow_csv.InvalidRow) -> str:
        nonlocal blank
        if row.text.strip(BLANKS + "\x1a") or layout.delimiter in row.text:
            ragged.append(row.number - 1 - blank)
        else:
            blank += 1
        return "skip"

    if text.startswith(BOM_UTF8):  # here it is a letter like others, which Arrow would take away
        text = b"\n" + text
    table = arrow_csv.read_csv(
        pa.BufferReader(text),
        read_options=arrow_csv.ReadOptions(
            column_names=names, block_size=len(text) + 1, use_threads=False
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=layout.delimiter,
            quote_char=layout.quote,
            newlines_in_values=True,
            invalid_row_handler=note,
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=types,
            include_columns=wanted,
            null_values=["", *_words(layout.missing)],
            decimal_point=layout.decimal,
        ),
    )
    return table, ragged


def _words(missing: Sequence[str]) -> list[str]:
    """Return what means no value and is no number: a number is compared as such, later."""
    return [text for text in missing if number_in(text, ()) != number_in(text, ())]


def _numbers(layout: Layout, table: pa.Table) -> Matrix:
    numbers = np.empty((table.num_rows, layout.width))
    for at, (kind, place) in enumerate(zip(layout.kinds, layout.places, strict=True)):
        if kind == CellKind.BOOLEAN:
            numbers[:, place] = booleans_from(table[str(at)], layout.missing, layout.decimal)
        elif kind == CellKind.NUMBER:
            values = table[str(at)]
            numbers[:, place] = (
                float_vector(values)
                if pa.types.is_floating(values.type)
                else numbers_from(values, _words(layout.missing), layout.decimal)
            )
    return numbers


def _texts(
    layout: Layout, table: pa.Table, regular: Sequence[bool]
) -> tuple[list[str | None], ...]:
    columns = [str(at) for at, kind in enumerate(layout.kinds) if kind == CellKind.TEXT]
    found = []
    for name in columns:
        cells = iter(trimmed(table[name]).to_pylist())
        found.append([next(cells) if there else None for there in regular])
    return tuple(found)
