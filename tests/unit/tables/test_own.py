"""The tables of a split are read back as they were written."""

import errno
import tempfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lightmodel.config import DataSection
from lightmodel.errors import DataError
from lightmodel.tables import split_files
from lightmodel.tables.reading import read_table
from lightmodel.tables.split_files import SplitFormat, read_part, write_table

FORMATS: Sequence[SplitFormat] = ("csv", "parquet")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KINDS: Sequence[tuple[pa.DataType, st.SearchStrategy[Any]]] = (
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float64(), st.floats()),
    (pa.string(), TEXT | st.sampled_from(["", "007", "NA", "null", "1.0", " x ", "true", "é\r\n"])),
    (pa.bool_(), st.booleans()),
    (pa.date32(), st.dates()),
    (pa.timestamp("us"), st.datetimes()),
)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Tables of plain types with gaps and with any names."""
    rows = draw(st.integers(0, 6))
    names = draw(st.lists(TEXT.filter(bool), min_size=1, max_size=5, unique=True))
    columns = []
    for _ in names:
        kind, values = draw(st.sampled_from(KINDS))
        cells = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        columns.append(pa.array(cells, kind))
    return pa.table(columns, names=names)


def same(left: pa.Table, right: pa.Table) -> bool:
    """Return whether two tables are equal bit by bit (any NaN is equal to any other)."""
    return left.schema.equals(right.schema) and all(
        _bits(one) == _bits(other) for one, other in zip(left.columns, right.columns, strict=True)
    )


def _bits(values: pa.ChunkedArray) -> list[object]:
    if not pa.types.is_floating(values.type):
        return list(values.to_pylist())
    cells = values.to_pylist()
    return ["nan" if cell != cell else cell if cell is None else cell.hex() for cell in cells]


def types_of(table: pa.Table) -> dict[str, pa.DataType]:
    """Return the types by name."""
    return dict(zip(table.column_names, table.schema.types, strict=True))


def wide_table(rows: int) -> pa.Table:
    """Make a table of ids, numbers with gaps, and texts."""
    random = np.random.default_rng(0)
    floats = {f"x{at}": random.standard_normal(rows) for at in range(200)}
    texts = ["", None, 'say "hi"', "two\nlines", "007"]
    return pa.table(
        {
            "id": [f"row_{row}" for row in range(rows)],
            "text": [texts[row % 5] for row in range(rows)],
            **floats,
        }
    )


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=120)
@given(table=tables())
@example(table=pa.table({"only": pa.array([None, "", "x", None])}))
@example(table=pa.table({"only": pa.array([None, 0.1, -0.0, 5e-324])}))
def test_any_table_reads_back_equal(format: SplitFormat, table: pa.Table) -> None:  # noqa: A002 — the setting's name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "side")
        write_table(table, path, format, threads=1)
        back = read_part(path, format, types_of(table))
        mapped = read_part(path, format, types_of(table), Path(folder))

    assert same(back, table)
    assert same(mapped, table)


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_table_gives_the_same_bytes(tmp_path: Path, format: SplitFormat) -> None:  # noqa: A002 — see above
    table = wide_table(9_000)
    in_pieces = pa.concat_tables([table.slice(0, 10), table.slice(10, 5_000), table.slice(5_010)])

    write_table(table, tmp_path / "one", format, threads=1)
    write_table(in_pieces, tmp_path / "other", format, threads=4)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("format", FORMATS)
def test_many_blocks_stay_in_order(tmp_path: Path, format: SplitFormat) -> None:  # noqa: A002 — see above
    table = wide_table(9_000)

    write_table(table, tmp_path / "side", format, threads=3)

    assert same(read_part(tmp_path / "side", format, types_of(table)), table)


def test_the_csv_is_written_conventionally(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": ["007", "", None],
            "x": [0.1, None, 1e300],
            "n": [1, 2, None],
            "fresh": [True, None, False],
            "day": [date(2020, 1, 31), None, date(2021, 1, 1)],
            "at": pa.array([datetime(2020, 1, 31, 10, 0, 0, 5), None, None], pa.timestamp("us")),  # noqa: DTZ001 — a wall clock's time
        }
    )

    write_table(table, tmp_path / "test.csv", "csv", threads=2)

    assert (tmp_path / "test.csv").read_text(encoding="utf-8") == (
        '"id","x","n","fresh","day","at"\n'
        '"007",0.1,1,true,2020-01-31,2020-01-31 10:00:00.000005\n'
        '"",,2,,,\n'
        ",1e+300,,false,2021-01-01,\n"
    )


def test_a_written_csv_is_read_back_by_the_general_reader(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": ["007", "008"],
            "x": [0.1, 2.5],
            "n": [1, 2],
            "word": ["a,b", "c"],
            "gap": [None, 1.5],
        }
    )

    write_table(table, tmp_path / "test.csv", "csv", threads=1)

    assert same(read_table([tmp_path / "test.csv"], DataSection()), table)


def test_a_type_that_shows_late_is_inferred_over_all_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_files, "_READ_BYTES", 1_000)
    table = pa.table({"n": range(2_000), "late": [*map(str, range(1_999)), "word"]})
    write_table(table, tmp_path / "side", "csv", threads=1)

    assert same(read_part(tmp_path / "side", "csv", {"n": pa.int64()}, tmp_path), table)


@pytest.mark.parametrize("format", FORMATS)
def test_an_error_names_an_absent_column(tmp_path: Path, format: SplitFormat) -> None:  # noqa: A002 — see above
    write_table(pa.table({"x": [1, 2]}), tmp_path / "side", format, threads=1)

    with pytest.raises(DataError, match="side has no column gone"):
        read_part(tmp_path / "side", format, {"x": pa.int64(), "gone": pa.string()})


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("content", [b"", b"rubbish", b'"x"\n"Elm Street"\n', b"PAR1 rubbish PAR1"])
def test_a_damaged_file_is_a_data_error(
    tmp_path: Path,
    format: SplitFormat,  # noqa: A002 — see above
    content: bytes,
    *,
    mapped: bool,
) -> None:
    (tmp_path / "side").write_bytes(content)

    with pytest.raises(DataError, match=r"^side ") as caught:
        read_part(tmp_path / "side", format, {"x": pa.int64()}, tmp_path if mapped else None)

    assert "Elm" not in caught.value.message
    assert tmp_path.name not in caught.value.message


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_does_not_exist_is_a_data_error(tmp_path: Path, format: SplitFormat) -> None:  # noqa: A002 — see above
    with pytest.raises(DataError, match="side: there is no such file"):
        read_part(tmp_path / "side", format, {})


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_raises_its_os_error(format: SplitFormat) -> None:  # noqa: A002 — see above
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_table(wide_table(500), Path("/dev/full"), format, threads=2)

    assert caught.value.errno == errno.ENOSPC


def test_another_disk_error_keeps_its_errno(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Is a directory") as caught:
        write_table(wide_table(5), tmp_path, "csv", threads=2)

    assert caught.value.errno == errno.EISDIR


def test_writing_holds_few_blocks_at_a_time(tmp_path: Path) -> None:
    table = wide_table(25_000)
    usual = pa.default_memory_pool()
    counting = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(counting)
    try:
        write_table(table, tmp_path / "side", "csv", threads=2)
    finally:
        pa.set_memory_pool(usual)

    assert (tmp_path / "side").stat().st_size > 90_000_000
    assert 1_000_000 < counting.max_memory() < 60_000_000
