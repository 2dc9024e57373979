"""Rows of text through the compiled library: see rows.c."""

import ctypes as c
import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lightmodel.contract.cells import OPEN_QUOTE, Layout, RawRows
from lightmodel.errors import DataError

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
