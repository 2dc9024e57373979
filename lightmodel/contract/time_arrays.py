"""Convert Arrow's dates, times of day, timestamps and durations to numbers and back."""

import numpy as np
import pyarrow as pa

from lightmodel.contract.cells import MISSING, Codes, Vector
from lightmodel.contract.columns import ColumnType
from lightmodel.contract.dates import DAY, NO_TIME, format_time, to_seconds

TIMESTAMP, TIME, DURATION = pa.timestamp("us"), pa.time64("us"), pa.duration("us")
ARROW_TYPES = {
    ColumnType.DATE: pa.date32(),
    ColumnType.DATETIME: TIMESTAMP,
    ColumnType.TIME: TIME,
    ColumnType.DURATION: DURATION,
}

_PLAIN = (
    (pa.types.is_date, TIMESTAMP),
    (pa.types.is_timestamp, TIMESTAMP),
    (pa.types.is_time, TIME),
    (pa.types.is_duration, DURATION),
)


def micros_of(values: pa.ChunkedArray) -> Codes:
    """Return temporal values as int64 microseconds, NO_TIME where one is missing."""
    for is_kind, kind in _PLAIN:
        if is_kind(values.type) and values.type != kind:
            values = values.cast(kind, safe=False)
    micros: Codes = values.cast(pa.int64()).fill_null(NO_TIME).to_numpy()
    return micros


def is_kind(arrow: pa.DataType, kind: ColumnType) -> bool:
    """Return whether Arrow's type is one of dates or timestamps, of times of day, or of durations."""
    if kind.is_date:
        return bool(pa.types.is_date(arrow) or pa.types.is_timestamp(arrow))
    is_same = pa.types.is_time if kind is ColumnType.TIME else pa.types.is_duration
    return bool(is_same(arrow))


def as_numbers(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return temporal values as float64 seconds, and any others as they are."""
    if not pa.types.is_temporal(values.type):
        return values
    return pa.chunked_array([pa.array(seconds_of(values), from_pandas=True)])


def seconds_of(values: pa.ChunkedArray) -> Vector:
    """Return temporal values of plain types as float64 seconds, MISSING where one is missing."""
    micros = micros_of(values)
    seconds = to_seconds(micros)
    if values.null_count:
        seconds[micros == NO_TIME] = MISSING
    return seconds


def time_texts(values: pa.ChunkedArray) -> list[str | None]:
    """Return temporal values of plain types as texts, as `format_time` writes each; None is missing."""
    kind = next(kind for kind, arrow in ARROW_TYPES.items() if arrow == values.type)
    seconds = seconds_of(values).tolist()
    return [None if value != value else format_time(value, kind) for value in seconds]


def time_array(micros: Codes, kind: ColumnType) -> pa.ChunkedArray:
    """Return microseconds as a column of the type for `kind`; NO_TIME is null.

    A column of dates that has a time of day somewhere becomes one of timestamps.
    """
    missing = micros == NO_TIME
    if kind is ColumnType.DATE and not (micros[~missing] % DAY).any():
        days = np.where(missing, 0, micros // DAY).astype(np.int32)
        return pa.chunked_array([pa.array(days, mask=missing).cast(pa.date32())])
    arrow = TIMESTAMP if kind is ColumnType.DATE else ARROW_TYPES[kind]
    return pa.chunked_array([pa.array(micros, mask=missing).cast(arrow)])
