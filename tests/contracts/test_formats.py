"""The contract of every table format that `read_table` knows."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet
import pytest
from openpyxl import Workbook

from lightmodel.config import DataSection
from lightmodel.errors import ContractViolation, DataError, LightModelError
from lightmodel.tables.reading import FORMATS, read_table

Columns = Mapping[str, Sequence[object]]

SECRET = "Ms Miller of 12 Elm Street"
PLAIN = {
    pa.int64(),
    pa.float64(),
    pa.string(),
    pa.bool_(),
    pa.date32(),
    pa.timestamp("us"),
}


def _write_csv(path: Path, columns: Columns) -> None:
    arrow_csv.write_csv(pa.table({name: list(values) for name, values in columns.items()}), path)


def _write_parquet(path: Path, columns: Columns) -> None:
    table = pa.table({name: list(values) for name, values in columns.items()})
    parquet.write_table(table, path)


def _write_json(path: Path, columns: Columns) -> None:
    rows = zip(*columns.values(), strict=True)
    lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")


def _write_excel(path: Path, columns: Columns) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(columns))
    for row in zip(*columns.values(), strict=True):
        sheet.append(list(row))
    book.save(path)


WRITERS: dict[str, tuple[str, Callable[[Path, Columns], None]]] = {
    "csv": ("rows.csv", _write_csv),
    "parquet": ("rows.parquet", _write_parquet),
    "json_lines": ("rows.jsonl", _write_json),
    "excel": ("rows.xlsx", _write_excel),
}

COLUMNS: Columns = {
    "id": ["a1", "a2", "a3", "a4"],
    "count": [1, 2, 3, 400],
    "weight": [0.25, None, -1.5, 1e300],
    "colour": ["red", "?", "  blue ", "None"],
    "fresh": [True, False, True, False],
    "nothing": [None, None, None, None],
}


@pytest.fixture(params=sorted(FORMATS))
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Columns], Path]:
    """Return a function that writes columns in one of the formats."""
    name, writer = WRITERS[request.param]

    def write(columns: Columns) -> Path:
        path = tmp_path / "private folder" / name
        path.parent.mkdir(exist_ok=True)
        writer(path, columns)
        return path

    return write


def test_every_format_is_tested_here() -> None:
    assert set(WRITERS) == set(FORMATS)


def test_values_arrive_with_plain_types(written: Callable[[Columns], Path]) -> None:
    table = read_table([written(COLUMNS)], DataSection())

    assert set(table.schema.types) <= PLAIN
    assert table.to_pydict() == {
        **COLUMNS,
        "colour": ["red", None, "blue", "None"],
    }
    kinds = dict(zip(table.column_names, table.schema.types, strict=True))
    assert kinds == {
        "id": pa.string(),
        "count": pa.int64(),
        "weight": pa.float64(),
        "colour": pa.string(),
        "fresh": pa.bool_(),
        "nothing": pa.float64(),
    }


def test_what_counts_as_missing_can_be_set(written: Callable[[Columns], Path]) -> None:
    path = written({"x": ["red", "absent", ""], "y": [1, 2, 3]})

    table = read_table([path], DataSection(na_values=("absent",)))

    assert table["x"].to_pylist() == ["red", None, None]


def test_the_same_bytes_give_the_same_table(written: Callable[[Columns], Path]) -> None:
    path = written(COLUMNS)

    assert read_table([path], DataSection()).equals(read_table([path], DataSection()))


def test_a_table_without_rows_is_refused(written: Callable[[Columns], Path]) -> None:
    path = written({"x": [], "y": []})

    with pytest.raises(DataError, match=f"{path.name}.*(no rows|no records|is empty)"):
        read_table([path], DataSection())


def test_blanks_around_names_do_not_count(written: Callable[[Columns], Path]) -> None:
    path = written({" x ": ["red", "blue"], "y": [1, 2]})

    assert read_table([path], DataSection()).column_names == ["x", "y"]


def test_names_that_differ_in_blanks_only_are_one_name_twice(
    written: Callable[[Columns], Path],
) -> None:
    path = written({"x": [1, 2], "x ": [3, 4], "y": [5, 6]})

    with pytest.raises(ContractViolation) as caught:
        read_table([path], DataSection())

    assert [(item.column, item.rule) for item in caught.value.violations] == [
        ("x", "duplicate_column")
    ]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.97])
def test_a_file_cut_short_is_a_table_or_an_error_without_folder_and_cells(
    written: Callable[[Columns], Path], share: float
) -> None:
    path = written({"name": [SECRET] * 50, "x": list(range(50)), "y": [1.5] * 50})
    content = path.read_bytes()
    path.write_bytes(content[: math.ceil(share * len(content))])

    outcome = _outcome(path)

    assert path.name in outcome
    assert path.parent.name not in outcome
    assert "Miller" not in outcome


def _outcome(path: Path) -> str:
    """Return how reading ends: a table (a text cut between two rows is one) or an error."""
    try:
        read_table([path], DataSection())
    except LightModelError as error:
        return f"{error.message} {error.hint}"
    assert path.suffix in {".csv", ".jsonl"}
    return f"{path.name} is a table"
