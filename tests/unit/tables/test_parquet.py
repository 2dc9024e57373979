"""Parquet files of other programs."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from lightmodel.config import DataSection
from lightmodel.errors import DataError
from lightmodel.tables.reading import read_table


def test_what_pandas_writes_is_read_without_its_index(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.5, 2.5], "word": pd.Categorical(["a", "b"])}, index=[7, 3])
    frame.to_parquet(tmp_path / "rows.parquet", index=True)

    table = read_table([tmp_path / "rows.parquet"], DataSection())

    assert table.to_pydict() == {"x": [1.5, 2.5], "word": ["a", "b"]}
    assert table["word"].type == pa.string()


def test_the_folder_adds_no_column(tmp_path: Path) -> None:
    path = tmp_path / "year=2020" / "rows.pq"
    path.parent.mkdir()
    parquet.write_table(pa.table({"x": [1]}), path)

    assert read_table([path], DataSection()).column_names == ["x"]


def test_texts_stay_texts_even_if_all_are_digits(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"code": ["7", "?"], "x": [1, 2]}), tmp_path / "rows.parquet")

    table = read_table([tmp_path / "rows.parquet"], DataSection())

    assert table["code"].to_pylist() == ["7", None]


def test_nested_columns_are_refused_by_name(tmp_path: Path) -> None:
    table = pa.table({"x": [1], "tags": pa.array([["Elm Street"]])})
    parquet.write_table(table, tmp_path / "rows.parquet")

    with pytest.raises(DataError, match=r"rows\.parquet: 1 column holds no plain values: 'tags'"):
        read_table([tmp_path / "rows.parquet"], DataSection())


def test_a_parquet_file_name_does_not_make_parquet(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"\0\1\2 rubbish")

    with pytest.raises(DataError, match=r"rows\.parquet is not a Parquet file"):
        read_table([tmp_path / "rows.parquet"], DataSection())


def test_a_csv_with_a_parquet_name_is_read_as_csv(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_text("a,b\n1,2\n")

    assert read_table([tmp_path / "rows.parquet"], DataSection()).to_pydict() == {
        "a": [1],
        "b": [2],
    }


def test_texts_that_are_not_utf8_are_a_data_error(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"word": ["abcdefgh"] * 3}), tmp_path / "rows.parquet")
    content = (tmp_path / "rows.parquet").read_bytes()
    (tmp_path / "rows.parquet").write_bytes(content.replace(b"abcdefgh", b"abc\xff\xfefgh"))

    with pytest.raises(DataError, match=r"rows\.parquet"):
        read_table([tmp_path / "rows.parquet"], DataSection())


def test_a_column_of_missing_texts_is_float64(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"gap": ["?", " "], "x": [1, 2]}), tmp_path / "rows.parquet")

    column = read_table([tmp_path / "rows.parquet"], DataSection())["gap"]

    assert column.type == pa.float64()
    assert column.null_count == 2
