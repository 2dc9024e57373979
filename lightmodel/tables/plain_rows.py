"""Rows of text through Python's csv module: slower than the compiled reader, and always there."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from lightmodel.contract.arrays import Matrix
from lightmodel.errors import DataError
from lightmodel.tables.cells import (
    IN_NO_ROW,
    WRONG_QUOTE,
    CellKind,
    Layout,
    RawRows,
    boolean_in,
    number_in,
)

_CUT_SHORT = "unexpected end of data"


def read_rows(layout: Layout, text: bytes, *, final: bool) -> RawRows:
    """Read rows; see `RowReader`."""
    lines = io.StringIO(text.decode(), newline="").readlines()
    rows, used = _whole_rows(lines, layout, final=final)
    regular = [row if len(row) == len(layout.kinds) else None for row in rows]
    texts = tuple(
        [None if row is None else row[at].strip() for row in regular]
        for at, kind in enumerate(layout.kinds)
        if kind == CellKind.TEXT
    )
    consumed = sum(len(line.encode()) for line in lines[:used])
    return RawRows(_numbers(regular, layout), texts, consumed, regular.count(None))


def _whole_rows(
    lines: Sequence[str], layout: Layout, *, final: bool
) -> tuple[list[list[str]], int]:
    """Split lines into rows; without the last one, which may go on, unless the text is at its end."""
    reader = csv.reader(
        lines,
        delimiter=layout.delimiter,
        quotechar=layout.quote,
        skipinitialspace=True,
        strict=True,
    )
    rows, before, used = [], 0, 0
    try:
        for row in reader:
            before, used = used, reader.line_num
            if len(row) > 1 or (row and row[0].strip(" \t\x1a")):
                rows.append((row, before))
    except csv.Error as error:
        if final or str(error) != _CUT_SHORT:
            more = " (or a cell is longer than 128 KB)" if "field larger" in str(error) else ""
            raise DataError(WRONG_QUOTE + more, hint="double the quotes inside a cell") from None
        return [row for row, _ in rows], used
    if not final and rows:
        _, used = rows.pop()
    return [row for row, _ in rows], used


def _numbers(rows: Sequence[list[str] | None], layout: Layout) -> Matrix:
    numbers = np.empty((len(rows), layout.width))
    numbers[[row is None for row in rows]] = IN_NO_ROW
    for at, (kind, place) in enumerate(zip(layout.kinds, layout.places, strict=True)):
        if kind in {CellKind.IGNORED, CellKind.TEXT}:
            continue
        numbers[:, place] = [
            IN_NO_ROW if row is None else _cell(row[at], CellKind(kind), layout) for row in rows
        ]
    return numbers


def _cell(cell: str, kind: CellKind, layout: Layout) -> float:
    if kind is CellKind.BOOLEAN:
        return boolean_in(cell, layout.missing)
    return number_in(cell, layout.missing, layout.decimal)
