"""Answered rows as JSON, a block of rows each, so that little of it is Python."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from itertools import compress
from typing import Any

import numpy as np
import orjson

from lightmodel.contract.arrays import Mask
from lightmodel.predictions.base import AnsweredRows, Values, id_text

_CELLS = 10_000  # of a block: encoding it keeps other threads waiting for a millisecond
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # as JSON writes it; no data base takes it
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True)
class Block:
    """One JSON object of a batch (see `Sink`) and how many rows it holds."""

    data: bytes
    rows: int


def encode(answered: AnsweredRows, rate: float = 1.0) -> Iterator[Block]:
    """Yield the rows of a request in blocks, or the share `rate` of them.

    Whether a row is in the share depends on the request's id and the row's number alone.
    """
    total = len(answered.predictions)
    chosen = None
    if rate < 1:
        chosen = np.random.default_rng([*answered.request.encode()]).random(total) < rate
    step = max(1, _CELLS // (4 + len(answered.features or ())))
    for start in range(0, total, step):
        stop = min(start + step, total)
        rows = _rows(answered, start, stop, None if chosen is None else chosen[start:stop])
        if rows:
            yield Block(_object(answered, rows), len(rows))


def _object(answered: AnsweredRows, rows: list[tuple[Any, ...]]) -> bytes:
    head = {
        "request": answered.request,
        "time": answered.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "version": answered.version,
        "rows": rows,
    }
    data = orjson.dumps(head, option=_OPTIONS)
    return _NUL.sub(rb"\1\\ufffd", data) if b"\\u0000" in data else data


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
