"""The RowReader that needs no compiled library: it uses Arrow."""

from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from lightmodel.contract.cells import RAGGED, Matrix, parse_number
from lightmodel.tables.encode import to_booleans, to_numbers
from lightmodel.tables.row_readers import (
    CellKind,
    Layout,
    RawRows,
    is_blank_line,
    layout_grammar,
    unclosed_quote_error,
)


@dataclass(frozen=True)
class _Columns:
    """A layout, prepared for Arrow; cells that are not ignored are numbered from 0 here.

    Attributes:
        names: of all cells of a row.
        plain: Arrow's options for text whose numbers Arrow can parse.
        texts: Arrow's options for reading all cells as text.
        cells: for each kind, the column indices and their positions in the result.
        words: texts that mean a missing value and are not numbers; numbers are compared later.
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
    words = [text for text in layout.missing if parse_number(text, ()) != parse_number(text, ())]

    def options(number: pa.DataType) -> arrow_csv.ConvertOptions:
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
    return _Columns(names, options(pa.float64()), options(pa.string()), cells, words)


def read_rows(layout: Layout, text: bytes, *, final: bool) -> RawRows:
    """Read rows; see `RowReader`."""
    rows = layout_grammar(layout)
    whole = text + b"\n" if final else text
    cut = rows.end_of_rows(whole)
    if final and cut < len(whole):
        raise unclosed_quote_error()
    regular_text, columns = rows.regularize(whole[:cut]), _columns(layout)
    if not regular_text.strip(b"\r\n"):
        no_rows = np.empty((0, layout.width))
        return RawRows(no_rows, tuple([] for _ in range(layout.texts)), min(cut, len(text)), 0)
    try:
        table, ragged = _parse(layout, regular_text, columns.names, columns.plain)
        numbers = _float_matrix(table, layout)
    except pa.ArrowInvalid:
        table, ragged = _parse(layout, regular_text, columns.names, columns.texts)
        numbers = _text_matrix(table, layout)
    for at, place in zip(*columns.cells[CellKind.BOOLEAN], strict=True):
        numbers[:, place] = to_booleans(table.column(at), layout.missing, layout.decimal)
    regular = np.ones(table.num_rows + len(ragged), dtype=np.bool_)
    regular[ragged] = False
    matrix = np.full((len(regular), layout.width), RAGGED)
    matrix[regular] = numbers
    texts = tuple(
        _text_columns(table.column(at), regular.tolist()) for at in columns.cells[CellKind.TEXT][0]
    )
    return RawRows(matrix, texts, min(cut, len(text)), len(ragged))


def _parse(
    layout: Layout, text: bytes, names: list[str], convert: arrow_csv.ConvertOptions
) -> tuple[pa.Table, list[int]]:
    """Split regular rows into cells.

    Returns:
        The cells that are not ignored, and the positions of rows with too few or too many cells.

    Raises:
        ArrowInvalid: Arrow cannot parse a number.
    """
    ragged: list[int] = []
    blank = 0

    def on_invalid_row(row: arrow_csv.InvalidRow) -> str:
        nonlocal blank
        if is_blank_line(row.text, layout.delimiter):
            blank += 1
        else:
            ragged.append(row.number - 1 - blank)
        return "skip"

    if text.startswith(BOM_UTF8):  # an ordinary character here, which Arrow would drop
        text = b"\n" + text
    table = arrow_csv.read_csv(
        pa.BufferReader(text),
        arrow_csv.ReadOptions(column_names=names, block_size=len(text) + 1, use_threads=False),
        arrow_csv.ParseOptions(
            delimiter=layout.delimiter,
            quote_char=layout.quote,
            newlines_in_values=True,
            invalid_row_handler=on_invalid_row,
        ),
        convert,
    )
    return table, ragged


def _float_matrix(table: pa.Table, layout: Layout) -> Matrix:
    """Return a (rows, width) matrix of numbers that Arrow has parsed; booleans are still unset.

    Raises:
        ArrowInvalid: a number is written as a word, such as nan(x).
    """
    numbers = np.empty((table.num_rows, layout.width))
    columns, places = _columns(layout).cells[CellKind.NUMBER]
    start = 0
    for batch in table.select(columns).to_batches() if columns else ():
        read = batch.to_tensor(null_to_nan=True).to_numpy()
        if np.isnan(read).sum() > sum(column.null_count for column in batch.columns):
            raise pa.ArrowInvalid("a number is written as a word")
        numbers[start : start + len(read), places] = read
        start += len(read)
    return numbers


def _text_matrix(table: pa.Table, layout: Layout) -> Matrix:
    """Return a (rows, width) matrix of numbers parsed from text; booleans are still unset."""
    numbers, known = np.empty((table.num_rows, layout.width)), _columns(layout)
    for at, place in zip(*known.cells[CellKind.NUMBER], strict=True):
        numbers[:, place] = to_numbers(table.column(at), known.words, layout.decimal)
    return numbers


def _text_columns(values: pa.ChunkedArray, regular: Sequence[bool]) -> list[str | None]:
    texts = iter(values.to_pylist())
    return [next(texts).strip() if is_regular else None for is_regular in regular]
