"""Ids, ignored columns and texts become the same values, whatever the form of the table."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmodel.contract.columns import Column, ColumnType, Contract, Dialect, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.tables.arrow_rows import read_rows
from lightmodel.tables.blocks import Block
from lightmodel.tables.column_types import null_missing
from lightmodel.tables.csv_blocks import CsvBlocks
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.other_columns import other_columns
from lightmodel.tables.row_rules import RowRules
from lightmodel.tables.table_blocks import table_block

IGNORED = {
    "whole": (ColumnType.INTEGER, ""),
    "number": (ColumnType.NUMBER, ""),
    "flag": (ColumnType.BOOLEAN, ""),
    "text": (ColumnType.CATEGORY, ""),
    "price": (ColumnType.NUMBER, "amount $#,##0.##"),
    "day": (ColumnType.DATE, "date day_first"),
    "moment": (ColumnType.DATETIME, "date"),
    "clock": (ColumnType.TIME, "time"),
    "span": (ColumnType.DURATION, "duration"),
}
CONTRACT = Contract(
    (
        Column("id", Role.ID, ColumnType.INTEGER, missing=False),
        Column("x", Role.FEATURE, ColumnType.NUMBER, missing=True),
        Column("city", Role.FEATURE, ColumnType.CATEGORY, missing=True, categories=("1.0", "Rome")),
        Column("y", Role.TARGET, ColumnType.NUMBER, missing=False),
        *(
            Column(name, Role.IGNORED, kind, missing=True, format=written)
            for name, (kind, written) in IGNORED.items()
        ),
    ),
    Task(TaskKind.REGRESSION),
    Dialect(delimiter=",", na_values=("", "n/a", "-999")),
)
MISSING = ("", "n/a", "-999")
RULES = RowRules(CONTRACT, with_others=True)
OTHERS = [column.name for column in CONTRACT.others]
TEXTS = st.sampled_from(
    [
        *(
            "",
            " ",
            "n/a",
            "-999",
            "-999.0",
            "0",
            "7",
            "1.0",
            "-3",
            "2.5",
            "1e3",
            "1e300",
            "inf",
            "nan",
        ),
        *("9007199254740993", "9223372036854775807", "-9223372036854775808", "9223372036854775808"),
        *("true", "False", "TRUE", "yes", "Rome", "rome", "Z\u00fcrich", "Zu\u0308rich"),
        *("$1,100.90", "$5", "12%", "31.12.2023", "2023-12-31", "3 Feb 2024", "31/12/2023"),
        *("2023-12-31T23:59:59.5Z", "2023-12-31 10:00", "09:00", "09:00:00", "1:30:00", "PT5M"),
    ]
)
ROWS = st.lists(st.tuples(*[TEXTS] * len(OTHERS)), min_size=1, max_size=5)


def by_csv(rows: Sequence[Sequence[str]], names: Sequence[str] = OTHERS) -> Block:
    city = [] if "city" in names else ["city"]
    more = ",".join(["1", *("" for _ in city)])
    quoted = (",".join(json.dumps(cell, ensure_ascii=False) for cell in row) for row in rows)
    lines = [",".join([*names, "x", *city]), *(f"{row},{more}" for row in quoted)]
    text = "".join(f"{line}\n" for line in lines)
    reader = CsvBlocks(RULES, read_rows, Dialect(delimiter=",", na_values=MISSING), 50)
    return next(reader.read(iter([text.encode()])))


def by_json(rows: Sequence[Sequence[object]], names: Sequence[str] = OTHERS) -> Block:
    records = [{"x": 1, "city": None, **dict(zip(names, row, strict=True))} for row in rows]
    return JsonBlocks(RULES, frozenset(MISSING)).read(json.dumps(records).encode())


def by_table(columns: dict[str, Any]) -> Block:
    city = pa.nulls(len(columns["x"]), pa.string())
    return table_block(null_missing(pa.table({"city": city, **columns}), MISSING), RULES, {})


def unread(block: Block) -> dict[str, int]:
    return {name: count for name, count in block.unseen.items() if name != "city"}


@settings(max_examples=40)
@given(ROWS)
def test_texts_mean_the_same_in_every_form(rows: list[tuple[str, ...]]) -> None:
    texts = dict(zip(OTHERS, zip(*rows, strict=True), strict=True))
    arrays = {name: pa.array(cells, pa.string()) for name, cells in texts.items()}
    blocks = [by_csv(rows), by_json(rows), by_table({**arrays, "x": [1.0] * len(rows)})]
    for block in blocks:
        assert block.others == blocks[0].others
        assert unread(block) == unread(blocks[0])


@settings(max_examples=40)
@given(ROWS, st.data())
def test_a_row_is_read_alone_as_among_others(
    rows: list[tuple[str, ...]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    together = by_csv(rows).others
    assert together is not None
    assert by_csv([rows[at]]).others == together.slice(at, 1)


def test_values_are_of_the_types_that_the_contract_names() -> None:
    cells = {
        "id": "9007199254740993",
        "city": "1",
        "whole": "-7",
        "number": "2.5",
        "flag": "TRUE",
        "text": "True",
        "price": "$1,100.90",
        "day": "31.12.2023",
        "moment": "2023-12-31T23:59:59.5+01:00",
        "clock": "09:00",
        "span": "1:30:00",
    }
    read = by_csv([list(cells.values())], list(cells)).others
    assert read is not None
    assert read.to_pylist() == [
        {
            "id": 9007199254740993,
            "city": "1.0",  # as training knows it
            "whole": -7,
            "number": 2.5,
            "flag": True,
            "text": "true",
            "price": 1100.9,
            "day": dt.date(2023, 12, 31),
            "moment": dt.datetime.fromisoformat("2023-12-31T22:59:59.5"),
            "clock": dt.time(9),
            "span": dt.timedelta(minutes=90),
        }
    ]
    assert read.schema == other_columns(pa.table({"x": [1.0]}), CONTRACT).table.schema


def test_typed_values_of_json_and_of_files_mean_what_their_texts_mean() -> None:
    row = {"id": 9007199254740993, "whole": 7.0, "number": 3, "flag": 1, "text": True, "span": 5400}
    expected = by_csv([["9007199254740993", "7", "3", "1", "true", "5400"]], list(row)).others
    assert by_json([list(row.values())], list(row)).others == expected
    assert by_table({name: [value] for name, value in {**row, "x": 1.0}.items()}).others == expected


def test_other_values_are_null_and_counted_but_in_features() -> None:
    cells = {"whole": "2.5", "number": "many", "flag": "maybe", "day": "2023-13-01", "city": "Oslo"}
    block = by_csv([list(cells.values())], list(cells))
    assert dict(block.unseen) == {**dict.fromkeys(("whole", "number", "flag", "day"), 1), "city": 1}
    assert block.others is not None
    assert block.others["city"].to_pylist() == ["Oslo"]
    assert all(block.others[name].to_pylist() == [None] for name in cells if name != "city")


def test_a_decimal_comma_is_read_where_training_had_one() -> None:
    contract = Contract(CONTRACT.columns, CONTRACT.task, Dialect(delimiter=";", decimal=","))
    rules = RowRules(contract, with_others=True)
    text = b"number;x;city\n2,5;1;\n"
    reader = CsvBlocks(rules, read_rows, Dialect(delimiter=";", decimal=","), 50)
    blocks = [
        next(reader.read(iter([text]))),
        JsonBlocks(rules, frozenset()).block([{"number": "2,5", "x": 1, "city": None}]),
        JsonBlocks(rules, frozenset()).block([{"number": 2.5, "x": 1, "city": None}]),
        table_block(pa.table({"number": ["2,5"], "x": [1.0], "city": ["Rome"]}), rules, {}),
    ]
    for block in blocks:
        assert block.others is not None
        assert block.others["number"].to_pylist() == [2.5]


def test_an_object_in_place_of_an_ignored_value_is_refused() -> None:
    block = by_json([[{"a": 1}]], ["note"])
    assert not block.violations  # no column of the contract
    assert {one.column for one in by_json([[{"a": 1}]], ["text"]).violations} == {"text"}


def test_a_model_without_such_a_function_gets_none() -> None:
    block = JsonBlocks(RowRules(CONTRACT), frozenset()).block(
        [{"x": 1, "city": "Rome", "day": "?"}]
    )
    assert (block.others, block.more, dict(block.unseen)) == (None, (), {})


def test_a_date_of_an_older_contract_stands_for_any_time() -> None:
    column = Column("t", Role.IGNORED, ColumnType.DATE, missing=True)
    contract = Contract((*CONTRACT.columns[:4], column), CONTRACT.task)
    moment = dt.datetime.fromisoformat("2024-01-02T10:00")
    for values in (["2024-01-02 10:00"], [moment]):
        assert other_columns(pa.table({"t": values}), contract).table["t"].to_pylist() == [moment]
