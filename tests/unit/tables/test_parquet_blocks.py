"""A Parquet body is read by batches: the blocks are those of the whole table."""

import io
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from lightmodel.config import DataSection
from lightmodel.contract.columns import Contract
from lightmodel.contract.hints import ColumnHints
from lightmodel.contract.inference import infer
from lightmodel.errors import DataError, LightModelError, TooLarge
from lightmodel.tables.base import dialect_for
from lightmodel.tables.blocks import Block, ValidationReport
from lightmodel.tables.bodies import BodyReader, Limits
from lightmodel.tables.parquet_pages import measure_groups
from lightmodel.tables.reading import read_source
from lightmodel.tables.row_rules import RowRules
from tests.fakes.reading import arrow_rows, features_of

ROWS = 3_000
OPTIONS = DataSection()


def table(**others: Any) -> pa.Table:
    random = np.random.default_rng(0)
    columns = {
        "id": [f"v{at}" for at in range(ROWS)],
        "a": random.normal(size=ROWS).round(3),
        "k": [f"city {pick}" for pick in random.integers(0, 9, ROWS)],
        "y": random.integers(0, 2, ROWS),
    }
    return pa.table(columns | others)


def written(rows: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(rows, sink, **options)
    return sink.getvalue()


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    path.write_bytes(written(table()))
    source = read_source([path], OPTIONS)
    return infer(source.table, ColumnHints(target="y", id="id"), source.dialect).contract


def blocks(contract: Contract, body: bytes, buffered: int = 1 << 18) -> list[Block]:
    limits = Limits(1 << 22, buffered, 100)
    reader = BodyReader(RowRules(contract), arrow_rows, dialect_for(contract, OPTIONS), limits)
    return list(reader.read(iter([body])))


def ids_of(found: list[Block]) -> list[Any]:
    return [one for block in found for one in block.ids or ()]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"row_group_size": 700},
        {"compression": "zstd", "data_page_version": "2.0"},
        {"use_dictionary": False, "column_encoding": {"id": "DELTA_BYTE_ARRAY"}},
    ],
)
def test_many_batches_hold_the_rows_of_the_table(
    contract: Contract, options: dict[str, Any]
) -> None:
    body = written(table(), **options)
    whole, parts = blocks(contract, body, 1 << 26), blocks(contract, body)
    assert len(parts) > len(whole)
    assert np.array_equal(features_of(whole), features_of(parts), equal_nan=True)
    assert ids_of(parts) == ids_of(whole) == table()["id"].to_pylist()


def test_ids_are_all_text_where_one_exceeds_int64(contract: Contract) -> None:
    ids = pa.array([*range(ROWS - 1), 2**64 - 1], pa.uint64())
    assert ids_of(blocks(contract, written(table(id=ids)))) == list(map(str, ids.to_pylist()))


def test_row_numbers_count_through_all_batches(contract: Contract) -> None:
    wrong = [1e9 if at == ROWS - 1 else 0.5 for at in range(ROWS)]
    report = ValidationReport()
    for block in blocks(contract, written(table(a=wrong))):
        report.add(block)
    assert [violation.rows for violation in report.violations] == [(ROWS,)]


def test_pages_that_decompress_to_more_than_the_limit_are_refused(contract: Contract) -> None:
    body = written(table(a=[0.5] * ROWS, k=["w"] * ROWS), use_dictionary=False)
    with pytest.raises(TooLarge, match="the pages of row group 1"):
        blocks(contract, body, len(body) + 64)


@pytest.mark.parametrize("at", range(4, 400, 3))
def test_a_damaged_file_is_refused_or_read(contract: Contract, at: int) -> None:
    """Both at its beginning and in its metadata; pyarrow's own view of those ends the process."""
    small = table().slice(0, 20)
    for place in (at, -at - 8):
        body = bytearray(written(small))
        body[place % len(body)] ^= 0x15
        with suppress(LightModelError):
            assert len(ids_of(blocks(contract, bytes(body)))) == small.num_rows


@pytest.mark.parametrize(
    "metadata",
    [
        b"\x00",
        b"\x49\x15\x02\x00",  # a list of integers
        b"\x49\x0c\x09\x08\x0c\x00",  # twice
        b"\x49\x0c\x09\x88\x80\x08\x0c\x00",  # its number with 17 bits, of which Arrow reads 16
        b"\x49\x0c\x15\x80\x80\x80\x80\x10\x00",  # a number of 33 bits, of which Arrow reads 32
    ],
)
def test_row_groups_that_arrow_reads_otherwise_than_the_measure_are_refused(
    metadata: bytes,
) -> None:
    body = b"PAR1" + metadata + len(metadata).to_bytes(4, "little") + b"PAR1"
    with pytest.raises(DataError, match="damaged"):
        list(measure_groups(bytearray(body)))


def test_a_file_without_rows_is_refused(contract: Contract) -> None:
    with pytest.raises(DataError, match="holds no rows"):
        blocks(contract, written(table().slice(0, 0)))
