"""Answered rows as lines of JSON, a block of rows each, so that little of it is Python."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from itertools import compress
from typing import Any

import numpy as np
import orjson

from lightmodel.contract.arrays import Mask
from lightmodel.predictions.identity import id_text
from lightmodel.predictions.log import AnsweredRows, Values

_CELLS = 10_000  # of a line: encoding it keeps other threads waiting for a millisecond
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # as JSON writes it; no data base takes it
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True)
class Line:
    """One encoded line and how many rows it holds."""

    data: bytes
    rows: int


def encode(answered: AnsweredRows, rate: float = 1.0) -> Iterator[Line]:
    """Yield the rows of a request as lines, or the share `rate` of them.

    Whether a row is in the share depends on the request's id and the row's number alone.
    """
    total = len(answered.predictions)
    chosen = _chosen(answered.request, total, rate) if rate < 1 else None
    step = max(1, _CELLS // (4 + len(answered.features or ())))
    for start in range(0, total, step):
        stop = min(start + step, total)
        rows = _rows(answered, start, stop, None if chosen is None else chosen[start:stop])
        if rows:
            yield Line(_line(answered, rows), len(rows))


def _line(answered: AnsweredRows, rows: list[tuple[Any, ...]]) -> bytes:
    head = {
        "request": answered.request,
        "time": answered.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "version": answered.version,
        "rows": rows,
    }
    data = orjson.dumps(head, option=_OPTIONS)
    return (_NUL.sub(rb"\1\\ufffd", data) if b"\\u0000" in data else data) + b"\n"


def _rows(
    answered: AnsweredRows, start: int, stop: int, chosen: Mask | None
) -> list[tuple[Any, ...]]:
    def part(values: Values) -> list[Any]:
        taken = values[start:stop]
        plain = taken.tolist() if isinstance(taken, np.ndarray) else taken
        return list(plain if chosen is None else compress(plain, chosen))

    numbers = part(range(1, stop + 1))
    nothing = [None] * len(numbers)
    ids = nothing if answered.ids is None else map(id_text, part(answered.ids))
    predictions = part(answered.predictions)
    probabilities = nothing if answered.probabilities is None else part(answered.probabilities)
    features: Iterable[Any] = nothing
    if answered.features is not None:
        names, cells = tuple(answered.features), map(part, answered.features.values())
        features = (dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True))
    return list(zip(numbers, ids, predictions, probabilities, features, strict=True))


def _chosen(request: str, total: int, rate: float) -> Mask:
    """Hash each row's number with the request's id (splitmix64) and keep the smallest ones."""
    seed = int.from_bytes(hashlib.blake2b(request.encode(), digest_size=8).digest(), "little")
    mixed = np.arange(1, total + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed += np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    chosen: Mask = mixed < np.uint64(int(rate * 2**64))
    return chosen
