"""JSON Lines and JSON arrays, regular and not."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from lightmodel.config import DataSection
from lightmodel.errors import DataError
from lightmodel.tables.reading import read_table


def read(folder: Path, content: str | bytes, name: str = "rows.jsonl") -> pa.Table:
    """Write `content` to a file and read it."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table([path], DataSection())


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows.json", "rows.csv", "rows"])
def test_records_are_read_whatever_the_name(tmp_path: Path, name: str) -> None:
    table = read(tmp_path, '{"a": 1, "b": "x"}\n\n{"a": 2.5, "c": true}\n', name)

    assert table.to_pydict() == {"a": [1.0, 2.5], "b": ["x", None], "c": [None, True]}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_does_not_matter(tmp_path: Path, encoding: str) -> None:
    content = '{"a": "größe", "b": 1}\n'.encode(encoding)

    assert read(tmp_path, content).to_pydict() == {"a": ["größe"], "b": [1]}


def test_gzip_is_decompressed(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b'{"a": 1}\n'), "rows.jsonl.gz").to_pydict() == {"a": [1]}


def test_an_array_of_records_is_read(tmp_path: Path) -> None:
    content = '\n[\n {"a": 1, "b": "x"},\n {"a": null, "c": 2}\n]\n'

    assert read(tmp_path, content, "rows.json").to_pydict() == {
        "a": [1, None],
        "b": ["x", None],
        "c": [None, 2],
    }


def test_one_record_over_several_lines_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, '{\n "a": 1,\n "b": "x"\n}\n').to_pydict() == {"a": [1], "b": ["x"]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, "?", 3], [1, None, 3]),
        ([1, "x", 2.0, True], ["1", "x", "2", "true"]),
        ([1, 2.5, " "], [1.0, 2.5, None]),
        (["007", "x"], ["007", "x"]),
        ([True, None], [True, None]),
        ([10**20, 1, "?"], [str(10**20), "1", None]),
        ([10**20, 1.5, "?"], [1e20, 1.5, None]),
        ([None, None], [None, None]),
        ([float("nan"), 1.5, "?"], [None, 1.5, None]),
    ],
)
def test_values_of_several_types_get_a_common_type(
    tmp_path: Path, values: list[object], expected: list[object]
) -> None:
    content = "\n".join(json.dumps({"v": value, "n": 1}) for value in values)

    assert read(tmp_path, content)["v"].to_pylist() == expected


def test_a_key_of_a_late_record_is_a_column(tmp_path: Path) -> None:
    content = '{"a": 1}\n' * 200_000 + '{"a": 1.5, "b": "x"}\n'

    table = read(tmp_path, content)

    assert table["a"][-1].as_py() == 1.5
    assert table["b"].to_pylist() == [None] * 200_000 + ["x"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a": 1}\n{"a": Elm Street}\n', "line 2 is not JSON"),
        ('{"a": 1}\n{"a": 2', "line 2 is not JSON"),
        ('{"a": 1}\n["Elm Street"]\n', "line 2 is not a JSON object"),
        ("1", "line 1 is not a JSON object"),
        ("1\n2\n", "line 1 is not a JSON object"),
        ('[{"a": 1}, {"a": "Elm Street"', "is not JSON (line 1, column 30)"),
        ('[{"a": 1}, "Elm Street"]', "record 2 is not a JSON object"),
        ('{"a": [1], "b": {"x": "Elm"}, "c": 1}\n', "2 columns hold"),
        ('[{"a": [1], "b": {"x": "Elm"}, "c": 1}]', "2 columns hold"),
        ('{"a": {"0": "Elm Street"}}', "1 column holds"),
        ("[]", "no records"),
        ("{}\n{}\n", "no records"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_an_error_locates_a_bad_record_without_quoting_it(
    tmp_path: Path, content: str, words: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, content)

    assert words in caught.value.message
    assert "rows.jsonl" in caught.value.message
    assert "Elm" not in caught.value.message + caught.value.hint


def test_a_json_file_name_does_not_make_json(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl: line 1 is not JSON"):
        read(tmp_path, "a,b\n1,2\n")


def test_a_column_without_a_name_is_refused_unless_it_numbers_the_rows(tmp_path: Path) -> None:
    table = read(tmp_path, '{"": 0, "a": 5}\n{"": 1, "a": 6}\n')
    assert table.to_pydict() == {"a": [5, 6]}
    with pytest.raises(DataError, match="1 of 2 columns has no name"):
        read(tmp_path, '{"a": 5, "": "x"}\n')
