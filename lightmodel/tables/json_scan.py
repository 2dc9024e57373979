"""Walk through a long JSON text and decode it in small blocks, so that memory does not grow with it.

Where a value ends is found without building objects: by regular expressions, and mostly by a guess that
the decoder confirms. A slice of an array from the start of an element to some later comma is itself an
array exactly when that comma ends an element, because JSON is read from left to right.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from lightmodel.errors import DataError, TooLarge
from lightmodel.tables.json_text import parse_json

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_KEY = re.compile(_STRING, re.DOTALL)
_FLAT = re.compile(rb"[\[{](?:[^\"\[\]{}]++|%b)*+[\]}]" % _STRING, re.DOTALL)
_VALUE = re.compile(rb"%b|[^\s,\]}\[{\":]++" % _STRING, re.DOTALL)
_MARK = re.compile(rb"%b|[\[\]{}]" % _STRING, re.DOTALL)
_SEPARATOR = re.compile(rb"%b|[,\[{]" % _STRING, re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*+")
_BETWEEN = {  # the end of an element before a comma and the start of a similar one
    b"{": re.compile(rb"\}[ \t\r\n]*+(,)[ \t\r\n]*+\{"),
    b"[": re.compile(rb"\][ \t\r\n]*+(,)[ \t\r\n]*+\["),
}
_COMMA = re.compile(rb"(,)")
_DEPTH = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}
_DEEPEST = 1024  # as orjson
_NESTED = 16  # separators per column: values within columns that the contract ignores

Load = Callable[[bytes], Any]


@dataclass
class JsonScanner:
    """A position in a JSON text.

    Attributes:
        text: the whole document.
        load: decodes a text.
        block: the bytes that are decoded at once.
        columns: the maximum of an element.
        at: the position.
    """

    text: bytes | bytearray
    load: Load
    block: int
    columns: int
    at: int = 0

    def peek(self) -> bytes:
        """Skip whitespace, and return the next byte, b"" at the end."""
        self._skip_space()
        return bytes(self.text[self.at : self.at + 1])

    def end(self) -> None:
        """Refuse a text that goes on.

        Raises:
            DataError: it does.
        """
        if self.peek():
            raise self._error()

    def members(self) -> Iterator[str]:
        """Yield the keys of an object; the caller moves past each value before the next one.

        Raises:
            DataError: it is not valid JSON.
            TooLarge: there are too many.
        """
        self.at += 1
        count = 0
        if self.peek() == b"}":
            self.at += 1
            return
        while True:
            key = self._string()
            if self.peek() != b":":
                raise self._error()
            self.at += 1
            self._skip_space()
            count += 1
            if count > self.columns:
                raise too_wide(self.columns)
            yield key
            if self._is_last(b"}"):
                return

    def skip(self) -> None:
        """Decode one value in blocks, and move past it.

        Raises:
            DataError: it is not valid JSON.
            TooLarge: it is longer than a block, and has too many columns.
        """
        if self.peek() == b"[":
            for _ in self.blocks():
                pass
        else:
            self.value()

    def find_end(self) -> None:
        """Move past one value whose brackets match; whether it is valid shows when it is decoded.

        Raises:
            DataError: it does not end.
        """
        opening = self.peek()
        text, start = self.text, self.at
        end = text.find(b"]", start) if opening == b"[" else -1
        if end >= 0 and all(text.find(mark, start + 1, end) < 0 for mark in (b'"', b"[", b"{")):
            self.at = end + 1  # an array of numbers, found several times faster
            return
        if found := _FLAT.match(text, self.at) or _VALUE.match(text, self.at):
            self.at = found.end()
            return
        depth = opened = 0
        for mark in _MARK.finditer(text, self.at) if opening in {b"[", b"{"} else ():
            step = _DEPTH.get(mark[0], 0)
            depth += step
            opened += step > 0
            if not depth:
                self.at = mark.end()
                return
            if depth > _DEEPEST:
                break
            if opened > _NESTED * self.columns:
                raise too_wide(self.columns)
        raise self._error()

    def value(self) -> Any:  # noqa: ANN401 — any JSON value
        """Decode one value, and move past it.

        Raises:
            DataError: it is not valid JSON.
            TooLarge: it is longer than a block, and has too many columns.
        """
        self._skip_space()
        start = self.at
        self.find_end()
        if self.at - start > 2 * self.block:
            refuse_wide(self.text, start, self.at, self.columns)
        return parse_json(self._slice(start, self.at), self.load, partial(self._place, start))

    def blocks(self) -> Iterator[list[Any]]:
        """Yield the elements of an array, in blocks of a few, and move past it.

        Raises:
            DataError: it is not valid JSON.
            TooLarge: an element is longer than a block, and has too many columns.
        """
        self.at += 1
        if self.peek() == b"]":
            self.at += 1
            return
        while True:
            self._skip_space()
            yield self._guess() or self._elements()
            if self._is_last(b"]"):
                return

    def _guess(self) -> list[Any] | None:
        """Decode up to a place that looks like the end of an element; return None if it is not one."""
        between = _BETWEEN.get(self.peek(), _COMMA)
        found = between.search(self.text, self.at + self.block, self.at + 2 * self.block)
        end = found.start(1) if found else -1
        if not found and len(self.text) - self.at <= 2 * self.block:
            end = self.text.rfind(b"]")
        if end <= self.at:
            return None
        with suppress(ValueError, RecursionError):
            elements: list[Any] = self.load(b"[%b]" % self._slice(self.at, end))
            self.at = end
            return elements
        return None

    def _elements(self) -> list[Any]:
        """Decode elements whose ends are found one by one."""
        start = self.at
        while True:
            first = self.at
            self.find_end()
            if self.at - first > 2 * self.block:
                refuse_wide(self.text, first, self.at, self.columns)
            end = self.at
            if end - start >= self.block or self.peek() != b",":
                self.at = end
                break
            self.at += 1
        array = b"[%b]" % self._slice(start, end)
        elements: list[Any] = parse_json(array, self.load, partial(self._place, start, 1))
        return elements

    def _is_last(self, closing: bytes) -> bool:
        """Move past a comma, and return False, or past the closing bracket, and return True."""
        mark = self.peek()
        if mark not in {b",", closing}:
            raise self._error()
        self.at += 1
        if mark == b"," and self.peek() in {b",", b"]", b"}"}:
            raise self._error()
        return mark == closing

    def _string(self) -> str:
        found = _KEY.match(self.text, self.at) if self.peek() else None
        if not found:
            raise self._error()
        self.at = found.end()
        return str(parse_json(found[0], self.load, partial(self._place, found.start())))

    def _slice(self, start: int, end: int) -> bytes:
        return bytes(memoryview(self.text)[start:end])

    def _skip_space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _place(self, at: int, added: int = 0) -> tuple[int, int]:
        """Return the lines, and the bytes of the last line, before a position."""
        start = self.text.rfind(b"\n", 0, at) + 1
        return self.text.count(b"\n", 0, at), at - start - added

    def _error(self) -> DataError:
        line, column = self._place(self.at)
        return DataError(f"the text is not JSON (line {line + 1}, column {column + 1})")


def refuse_wide(text: bytes | bytearray, start: int, end: int, columns: int) -> None:
    """Refuse a long element that has too many columns, before objects are built of it.

    Raises:
        TooLarge: it has.
    """
    most = _NESTED * columns
    marks = (text.count(mark, start, end) for mark in (b",", b"[", b"{"))
    if sum(marks) <= most:
        return
    count = 0
    for mark in _SEPARATOR.finditer(text, start, end):
        count += not mark[0].startswith(b'"')
        if count > most:
            raise too_wide(columns)


def too_wide(columns: int) -> TooLarge:
    """Return the error for a record with too many columns, or too many values nested in them."""
    return TooLarge(
        f"a record has more than {columns:,} columns (serve.max_columns), or nested values",
        hint="send one record for each row",
    )
