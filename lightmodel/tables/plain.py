"""The few types that a table may have here, and the way to them from all of Arrow's."""

import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.errors import DataError

TIMESTAMP = pa.timestamp("us")
_PLAIN = {kind: pa.float64() for kind in (pa.float16(), pa.float32(), pa.float64(), pa.null())} | {
    pa.bool_(): pa.bool_()
}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def plain_types(table: pa.Table, what: str = "the table") -> pa.Table:
    """Bring every column to int64, float64, string, bool, date32 or timestamp[us].

    Whole numbers beyond int64 become strings (they are names, not amounts), a column without a
    value float64, an instant with a zone its UTC time, a duration its seconds, a time of day text.

    Args:
        table: of any types.
        what: the name that messages give it.

    Raises:
        DataError: a column holds lists, structures or bytes; all such columns are named.
    """
    columns, refused = [], []
    for name, values in zip(table.column_names, table.columns, strict=True):
        try:
            columns.append(_plain(values))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            refused.append(repr(name))
    if refused:
        raise DataError(
            f"{what}: {len(refused)} column{'s hold' if len(refused) > 1 else ' holds'} no plain values: "
            f"{', '.join(refused[:10])}{', …' if len(refused) > 10 else ''}",
            hint="write lists and structures into columns of their own, or leave them out",
        )
    return pa.table(columns, names=table.column_names)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(values.cast(kind.storage_type))
    if pa.types.is_dictionary(kind):
        return _plain(values.cast(kind.value_type))
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return _numbers(values)
    if pa.types.is_temporal(kind):
        return _times(values)
    return values.cast(_PLAIN.get(kind, pa.string()))


def _numbers(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_decimal(values.type) and values.type.scale > 0:
        return values.cast(pa.float64())
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:
        return values.cast(pa.string())


def _times(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_date(kind):
        return values.cast(pa.date32())
    if pa.types.is_timestamp(kind):
        # nanoseconds are cut off; a zone is dropped, and what stays is the time in UTC
        finer = values.cast(pa.timestamp("us", kind.tz), safe=kind.unit != "ns")
        return finer.cast(TIMESTAMP)
    if pa.types.is_duration(kind):
        return pc.multiply(values.cast(pa.int64()).cast(pa.float64()), _SECONDS[kind.unit])
    return values.cast(pa.string())
