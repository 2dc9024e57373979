"""All of Arrow's types become a few plain ones."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from lightmodel.errors import DataError
from lightmodel.tables.column_types import to_plain_types

INSTANT = dt.datetime(2020, 1, 31, 10, 0, 0, 123456)  # noqa: DTZ001 — plain tables have no zone


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pa.array([1, None], pa.int8()), pa.int64(), [1, None]),
        (pa.array([1, 2**63 - 1], pa.uint64()), pa.int64(), [1, 2**63 - 1]),
        (pa.array([1, 2**64 - 1], pa.uint64()), pa.string(), ["1", str(2**64 - 1)]),
        (pa.array([0.5, None], pa.float32()), pa.float64(), [0.5, None]),
        (pa.array([0.5, None], pa.float16()), pa.float64(), [0.5, None]),
        (pa.array([Decimal("1.25"), None]), pa.float64(), [1.25, None]),
        (pa.array([Decimal(5)], pa.decimal128(20, 0)), pa.int64(), [5]),
        (pa.array([Decimal(10**20)], pa.decimal128(38, 0)), pa.string(), [str(10**20)]),
        (pa.nulls(2), pa.float64(), [None, None]),
        (pa.array(["a", None], pa.large_string()), pa.string(), ["a", None]),
        (pa.array(["a", None], pa.string_view()), pa.string(), ["a", None]),
        (pa.array([b"a", None]), pa.string(), ["a", None]),
        (pa.array(["a", None, "a"]).dictionary_encode(), pa.string(), ["a", None, "a"]),
        (pa.array([1, None], pa.int16()).dictionary_encode(), pa.int64(), [1, None]),
        (
            pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1", None])),
            pa.string(),
            ["1", None],
        ),
        (pa.array([True, None]), pa.bool_(), [True, None]),
        (pa.array([dt.date(2020, 1, 31)], pa.date64()), pa.date32(), [dt.date(2020, 1, 31)]),
        (pa.array([INSTANT], pa.timestamp("ns")), pa.timestamp("us"), [INSTANT]),
        (pa.array([1], pa.timestamp("ns")), pa.timestamp("us"), [dt.datetime(1970, 1, 1)]),  # noqa: DTZ001 — as above
        (
            pa.array([INSTANT.replace(tzinfo=dt.UTC)], pa.timestamp("ms", "Asia/Tokyo")),
            pa.timestamp("us"),
            [INSTANT.replace(microsecond=123000)],
        ),
        (pa.array([dt.time(10, 30)], pa.time32("s")), pa.string(), ["10:30:00"]),
        (pa.array([1500], pa.duration("ms")), pa.duration("us"), [dt.timedelta(seconds=1.5)]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_each_type_is_converted_to_a_plain_one(
    values: pa.Array, kind: pa.DataType, expected: list[object]
) -> None:
    column = to_plain_types(pa.table({"x": values}))["x"]

    assert column.type == kind
    assert column.to_pylist() == expected


def test_columns_that_hold_no_plain_values_are_all_named() -> None:
    table = pa.table(
        {
            "good": [1],
            "list": pa.array([["Elm Street"]]),
            "record": pa.array([{"street": "Elm"}]),
            "bytes": [b"\xff"],
        }
    )

    with pytest.raises(DataError) as caught:
        to_plain_types(table, "rows.parquet")

    assert caught.value.message == (
        "rows.parquet: 3 columns hold no plain values: 'list', 'record', 'bytes'"
    )


def test_names_order_and_duplicate_names_are_kept() -> None:
    table = pa.table([pa.array([1]), pa.array(["a"]), pa.array([2])], names=["b", "a", "b"])

    assert to_plain_types(table).equals(table)
