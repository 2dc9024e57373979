"""The port that turns a text of rows into numbers."""

import ctypes as c
import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt
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


class RowReader(Protocol):
    """Reads the whole rows at the beginning of a UTF-8 text.

    Blank lines are no rows. A row ends with LF, CR or CRLF, outside quotes; a quote within quotes is
    doubled. Blanks around cells do not count. Whatever the text, nothing is raised but DataError, and
    the same text gives the same bits from every reader.
    """

    def __call__(self, layout: Layout, text: bytes, *, final: bool) -> RawRows:
        """Read rows; `final` says that the text ends here, so that its last row is whole too.

        Raises:
            DataError: a quote is never closed.
        """
        ...


_SEPARATOR = "\x1f"


class _Layout(c.Structure):
    _fields_ = (
        ("delimiter", c.c_char),
        ("quote", c.c_char),
        ("decimal", c.c_char),
        ("separator", c.c_char),
        ("cells", c.c_int32),
        ("width", c.c_int32),
        ("texts", c.c_int32),
        ("kinds", c.c_void_p),
        ("places", c.c_void_p),
        ("missing", c.c_char_p),
    )


class _Outcome(c.Structure):
    _fields_ = (("rows", c.c_int64), ("consumed", c.c_int64), ("ragged", c.c_int64))


class CompiledRows:
    """A RowReader; the interpreter's lock is released while it reads."""

    def __init__(self, library: c.CDLL) -> None:
        self._read = library.read_rows

    def __call__(self, layout: Layout, text: bytes, *, final: bool) -> RawRows:
        """Read rows; see `RowReader`."""
        capacity = _most_rows(text, layout)
        numbers = np.empty((capacity, layout.width))
        spans = np.empty((capacity, layout.texts, 2), np.int64)
        outcome = _Outcome()
        unclosed = self._read(
            c.byref(_described(layout)),
            c.c_char_p(text),
            c.c_int64(len(text)),
            c.c_int(final),
            c.c_void_p(numbers.ctypes.data),
            c.c_void_p(spans.ctypes.data),
            c.c_int64(capacity),
            c.byref(outcome),
        )
        if unclosed:
            raise DataError(OPEN_QUOTE, hint="double the quotes inside a quoted cell")
        texts = tuple(
            _texts(text, spans[: outcome.rows, at], layout.quote) for at in range(layout.texts)
        )
        return RawRows(numbers[: outcome.rows], texts, outcome.consumed, outcome.ragged)


def _most_rows(text: bytes, layout: Layout) -> int:
    """Give how many rows of the right number of cells there can be; who asks comes again for more."""
    return len(text) // len(layout.kinds) + 1


@lru_cache(16)
def _described(layout: Layout) -> _Layout:
    kinds = c.create_string_buffer(layout.kinds)
    places = (c.c_int32 * len(layout.places))(*layout.places)
    described = _Layout(
        layout.delimiter.encode(),
        layout.quote.encode(),
        layout.decimal.encode(),
        _SEPARATOR.encode(),
        len(layout.kinds),
        layout.width,
        layout.texts,
        c.addressof(kinds),
        c.addressof(places),
        "".join(token + _SEPARATOR for token in layout.missing).encode(),
    )
    described.alive = kinds, places  # it holds their addresses only
    return described


def _texts(text: bytes, spans: npt.NDArray[np.generic], quote: str) -> list[str | None]:
    return [
        text[start : start + length].decode()
        if length >= 0 <= start
        else _undone(text, start, -length, quote)
        for start, length in spans.tolist()
    ]


def _undone(text: bytes, start: int, length: int, quote: str) -> str | None:
    """Undo the quotes of a cell: a doubled one stands for itself, the first other one closes."""
    if start < 0:
        return None
    cell = text[start : start + length].decode()
    closing = _closing(quote).match(cell)
    within = closing[1] if closing else cell
    return (within.replace(quote * 2, quote) + cell[len(within) + 1 :]).strip()


@lru_cache(16)
def _closing(quote: str) -> re.Pattern[str]:
    mark = re.escape(quote)
    return re.compile(f"((?:[^{mark}]|{mark}{mark})*+){mark}")


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
        numbers, _text_columns(layout, table, regular.tolist()), min(cut, len(text)), len(ragged)
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


def _text_columns(
    layout: Layout, table: pa.Table, regular: Sequence[bool]
) -> tuple[list[str | None], ...]:
    columns = [str(at) for at, kind in enumerate(layout.kinds) if kind == CellKind.TEXT]
    found = []
    for name in columns:
        cells = iter(trimmed(table[name]).to_pylist())
        found.append([next(cells) if there else None for there in regular])
    return tuple(found)
