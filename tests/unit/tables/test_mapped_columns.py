"""Columns in mapped files: what is made of them is in a file too, and nothing else is."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lightmodel.errors import ConfigError
from lightmodel.tables.mapped import mapped_table, moved_with, rows_where

ROWS = 100_000
TABLE = pa.table(
    {
        "x": np.arange(ROWS),
        "word": pa.array([None if row % 3 else f"w{row}" for row in range(ROWS)]),
    }
)


@pytest.fixture
def mapped(tmp_path: Path) -> pa.Table:
    return mapped_table(TABLE.to_batches(max_chunksize=7), TABLE.schema, tmp_path / "work")


def allocated() -> int:
    """Return the bytes that Arrow holds in memory, where mapped ones do not count."""
    return int(pa.total_allocated_bytes())


def test_a_mapped_table_holds_its_rows_in_few_chunks_and_in_no_memory(tmp_path: Path) -> None:
    before = allocated()
    table = mapped_table(TABLE.to_batches(max_chunksize=7), TABLE.schema, tmp_path / "work")

    assert table.equals(TABLE)
    assert table.column(0).num_chunks == 1
    assert allocated() - before < 10_000
    assert not list((tmp_path / "work").iterdir())


def test_what_is_made_of_a_column_in_a_file_moves_into_one(mapped: pa.Table) -> None:
    before = allocated()

    moved = moved_with(pc.add(mapped["x"], 1), mapped["x"])

    assert moved.equals(pc.add(TABLE["x"], 1))
    assert allocated() - before < 10_000


def test_what_is_made_of_a_column_in_memory_stays_there() -> None:
    values = pc.add(TABLE["x"], 1)

    assert moved_with(values, TABLE["x"]) is values


@pytest.mark.parametrize("at", [0, 2])
def test_rows_of_a_table_are_in_a_file_if_one_of_its_columns_is(mapped: pa.Table, at: int) -> None:
    table = mapped.add_column(at, "new", pa.array(np.arange(ROWS) % 5))
    mask = np.arange(ROWS) % 2 == 0
    before = allocated()

    rows = rows_where(table, mask)

    assert allocated() - before < 10_000
    assert rows.equals(table.filter(pa.array(mask)))


def test_rows_of_a_table_in_memory_stay_there() -> None:
    before = allocated()

    rows = rows_where(TABLE, np.ones(ROWS, np.bool_))

    assert rows.equals(TABLE)
    assert allocated() - before > ROWS * 8


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("")

    with pytest.raises(ConfigError, match="work cannot be written to"):
        mapped_table(TABLE.to_batches(), TABLE.schema, tmp_path / "work")
