"""Formats are detected by content, and several files become one table."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from lightmodel.config import DataSection
from lightmodel.errors import DataError
from lightmodel.tables.reading import read_table


def files(folder: Path, *contents: str) -> list[Path]:
    """Write each content to a file of its own."""
    paths = [folder / f"part-{at}.csv" for at in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8")
    return paths


def test_files_are_stacked_in_their_order(tmp_path: Path) -> None:
    paths = files(tmp_path, "a,b\n1,x\n2,y\n", "b,a\nz,3\n")
    parquet.write_table(pa.table({"a": [4], "b": ["w"]}), tmp_path / "last.parquet")

    table = read_table([*paths, tmp_path / "last.parquet"], DataSection())

    assert table.to_pydict() == {"a": [1, 2, 3, 4], "b": ["x", "y", "z", "w"]}


@pytest.mark.parametrize(
    ("first", "second", "kind", "values"),
    [
        ("1", "2.5", pa.float64(), [1.0, 2.5]),
        ("1", "two", pa.string(), ["1", "two"]),
        ("1.5", "two", pa.string(), ["1.5", "two"]),
        ("true", "no", pa.string(), ["true", "no"]),
        ("true", "1", pa.string(), ["true", "1"]),
        ("?", "two", pa.string(), [None, "two"]),
        ("?", "2", pa.int64(), [None, 2]),
        ("?", "?", pa.float64(), [None, None]),
        ("007", "8", pa.string(), ["007", "8"]),
    ],
)
def test_files_of_different_types_get_a_common_type(
    tmp_path: Path, first: str, second: str, kind: pa.DataType, values: Sequence[object]
) -> None:
    paths = files(tmp_path, f"n,v\n1,{first}\n", f"n,v\n2,{second}\n")

    column = read_table(paths, DataSection(header="yes"))["v"]

    assert column.type == kind
    assert column.to_pylist() == values


def test_a_date_and_a_time_become_times(tmp_path: Path) -> None:
    paths = files(tmp_path, "n,v\n1,2020-01-31\n", "n,v\n2,2020-01-31 10:00:00\n")

    assert read_table(paths, DataSection())["v"].type == pa.timestamp("us")


def test_a_file_with_other_columns_is_named_with_them(tmp_path: Path) -> None:
    paths = files(tmp_path, "a,b\n1,2\n", "a,b\n3,4\n", "a,c\n5,6\n")

    with pytest.raises(DataError) as caught:
        read_table(paths, DataSection())

    assert caught.value.message == (
        "part-2.csv does not have the columns of part-0.csv: it lacks 'b'; it has 'c' in addition"
    )


def test_no_file_is_no_table() -> None:
    with pytest.raises(DataError, match="no file"):
        read_table([], DataSection())


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=tmp_path.name):
        read_table([tmp_path], DataSection())


def _zip_of(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "a,b\n1,2\n")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old Excel file"),
        (_zip_of("rows.csv"), "a ZIP archive of 1 file"),
        (b"PK\x03\x04 rubbish", "a damaged ZIP or Excel file"),
        (b"%PDF-1.7", "a PDF document"),
        (b"BZh91AY", "compressed with bzip2"),
        (b"SQLite format 3\0", "an SQLite database"),
    ],
)
def test_a_known_format_that_is_not_a_table_is_named(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)

    with pytest.raises(DataError) as caught:
        read_table([path], DataSection())

    assert f"rows.csv is {words}" in caught.value.message
    assert caught.value.hint
