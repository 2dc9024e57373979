"""Decode JSON and JSON Lines."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from lightmodel.errors import DataError

Record = Mapping[str, Any]
Load = Callable[[bytes], Any]
Place = Callable[[], tuple[int, int]]

_LINES_HINT = "write one JSON object per line, or an array, e.g. by pandas with orient='records'"


def load_json(text: bytes) -> Any:  # noqa: ANN401 — any JSON value
    """Return a JSON value; NaN is null, as Python's json and pandas write a missing number.

    Raises:
        ValueError: it is not JSON.
        DataError: a number in it is infinite.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if b"NaN" not in text:
            raise
        return load_exactly(text)


def load_exactly(text: bytes) -> Any:  # noqa: ANN401 — any JSON value
    """Return a JSON value as `load_json` does, more slowly, but with integers of any length."""
    return json.loads(text, parse_constant=_constant)


def _constant(name: str) -> None:
    if name != "NaN":
        raise DataError(f"the text is not valid JSON: {name} is not a finite number")


def parse_json(text: bytes, load: Load = load_json, before: Place | None = None) -> Any:  # noqa: ANN401 — any JSON value
    """Return the one value that a JSON text holds.

    Args:
        text: that is decoded.
        load: decodes it.
        before: returns the lines, and the bytes of the last line, that precede it, for messages.

    Raises:
        DataError: it is not JSON.
    """
    try:
        return load(text)
    except json.JSONDecodeError as error:  # also the base class of orjson's error
        lines, characters = before() if before else (0, 0)
        column = error.colno + (characters if error.lineno == 1 else 0)
        where = f"line {lines + error.lineno}, column {column}"
        raise DataError(f"the text is not JSON ({where})") from None
    except (ValueError, RecursionError):
        raise DataError(
            "the text is not valid JSON: it is nested too deeply, or a number in it is too long"
        ) from None


def parse_json_lines(text: bytes, before: int = 0, load: Load = load_json) -> Iterator[Record]:
    """Yield the records of JSON Lines; `before` is the count of preceding lines.

    Raises:
        DataError: a line is not a JSON object.
    """
    for number, line in enumerate(text.split(b"\n"), start=before + 1):
        if line.strip():
            try:
                record = load(line)
            except (ValueError, RecursionError):
                raise DataError(f"line {number} is not JSON", hint=_LINES_HINT) from None
            if not isinstance(record, dict):
                raise DataError(f"line {number} is not a JSON object", hint=_LINES_HINT)
            yield record
