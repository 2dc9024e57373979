"""A table that lies in a mapped file becomes the same split as one in memory, with the same errors."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
from pyarrow import parquet

from lightmodel.config import DataSection, SplitSection, TrainSection
from lightmodel.errors import StorageFull
from lightmodel.tables import reading
from lightmodel.tables.reading import read_source
from lightmodel.training.drift import AcceptedTable
from lightmodel.training.preprocess import PreprocessOptions, preprocess
from tests.fakes.both_ways import preprocessed_both_ways
from tests.fakes.small_files import small_files

ROWS = 30_000  # 1.7 MB of CSV, of which Arrow reads 1 MB at a time
Lines = Sequence[str]
Make = Callable[[Path], str]


def lines(rows: int = ROWS, *, header: str = "id,age,spent,where,day,fee,note,target") -> list[str]:
    """Return a CSV with numbers, gaps, a category, dates, amounts, texts and a target."""
    random = np.random.default_rng(5)
    ages, spent = random.integers(18, 80, rows), random.normal(50, 9, rows).round(3)
    places = random.choice(["web", "shop", "phone", ""], rows)
    bought = random.random(rows) < 0.3 + 0.4 * (places == "web")
    cells = zip(ages, spent, places, bought, strict=True)
    return [
        header,
        *(
            f"r{row},{age},{'' if row % 7 == 3 else paid},{place},2024-{row % 12 + 1:02}-{row % 28 + 1:02},"
            f'"${row % 9},{100 + row % 900}.50","said ""{row % 40}"" times",{"yes" if buys else "no"}'
            for row, (age, paid, place, buys) in enumerate(cells)
        ),
    ]


def written(path: Path, rows: Lines, encoding: str = "utf-8") -> str:
    content = ("\n".join(rows) + "\n").encode(encoding)
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path.name


def table() -> pa.Table:
    return arrow_csv.read_csv(pa.BufferReader("\n".join(lines()).encode()))


def records(rows: int = 3_000) -> list[dict[str, object]]:
    random = np.random.default_rng(6)
    return [
        {
            "id": row,
            "x": row % 50,
            "when": f"2024-05-{row % 28 + 1:02}T10:00:00",
            "target": int(one),
        }
        for row, one in enumerate(random.integers(0, 2, rows))
    ]


def jsonl(path: Path, rows: Sequence[object]) -> str:
    return written(path, [json.dumps(row) for row in rows])


def csv_plain(folder: Path) -> str:
    return written(folder / "t.csv", lines())


def csv_gzipped(folder: Path) -> str:
    return written(folder / "t.csv.gz", lines())


def csv_of_another_encoding(folder: Path) -> str:
    return written(
        folder / "t.csv", [*lines(), 'x1,30,1.5,café,2024-05-01,"$1,100.50",n,no'], "cp1252"
    )


def csv_with_text_late_in_a_column_of_numbers(folder: Path) -> str:
    return written(folder / "t.csv", [*lines(), 'x1,30,much,web,2024-05-01,"$1,100.50",n,no'])


def csv_with_text_late_in_two_columns_of_numbers(folder: Path) -> str:
    rows = [f"{line},{number % 9}.25" for number, line in enumerate(lines())]
    rows[0] = rows[0].replace(",0.25", ",more")
    last = ['x1,30,much,web,2024-05-01,"$1,100.50",n,no,1.5']
    last += ['x2,30,1.5,web,2024-05-01,"$1,100.50",n,no,few']
    return written(folder / "t.csv", [*rows, *last])


def csv_with_blank_and_quoted_rows(folder: Path) -> str:
    rows = lines()
    rows[20_000:20_000] = ["", ",,,,,,,", 'q, 30,1.5,"two\nlines",2024-05-01,"$1,100.50",n,no']
    return written(folder / "t.csv", rows)


def csv_without_an_id(folder: Path) -> str:
    rows = [line.partition(",")[2] for line in lines()]
    return written(folder / "t.csv", [rows[0], *rows[1:4_000] * 6])


def csv_with_semicolons_and_decimal_commas(folder: Path) -> str:
    random = np.random.default_rng(7)
    cells = zip(
        random.normal(0, 5, ROWS).round(4).tolist(), random.integers(0, 3, ROWS), strict=True
    )
    rows = [f"{str(number).replace('.', ',')};{kind};{number > kind}" for number, kind in cells]
    return written(folder / "t.csv", ["a;b;target", *rows])


def csv_in_two_files(folder: Path) -> str:
    rows = lines()
    written(folder / "part-1.csv", rows[:15_000])
    written(
        folder / "part-2.csv", [rows[0], *(row.replace(",2", ",2.5", 1) for row in rows[15_000:])]
    )
    return "part-*.csv"


def csv_and_parquet(folder: Path) -> str:
    written(folder / "part-1.csv", lines())
    parquet.write_table(table().slice(0, 9_000), folder / "part-2.parquet")
    return "part-*"


def parquet_in_row_groups(folder: Path) -> str:
    parquet.write_table(table(), folder / "t.parquet", row_group_size=5_000)
    return "t.parquet"


def parquet_of_pandas(folder: Path) -> str:
    frame = table().to_pandas(categories=["where"])
    frame["day"] = frame["day"].astype("datetime64[ns]")
    frame.sample(frac=1, random_state=1).to_parquet(folder / "t.parquet", index=True)
    return "t.parquet"


def lines_of_json(folder: Path) -> str:
    return jsonl(folder / "t.jsonl", records())


def lines_of_json_that_change(folder: Path) -> str:
    later = [
        {**one, "x": 1.5, "when": "2024-05-01T10:00:00.25", "more": None} for one in records(9)
    ]
    later = [{**one, "id": 3_000 + number} for number, one in enumerate(later)]
    return jsonl(folder / "t.jsonl", [*records(), *later, {"more": "a", "target": 1}])


def lines_of_json_of_mixed_types(folder: Path) -> str:
    return jsonl(folder / "t.jsonl", [*records(), {"x": "many", "target": 1}, {"target": 0}])


TABLES = (
    csv_plain,
    csv_gzipped,
    csv_of_another_encoding,
    csv_with_text_late_in_a_column_of_numbers,
    csv_with_text_late_in_two_columns_of_numbers,
    csv_with_blank_and_quoted_rows,
    csv_without_an_id,
    csv_with_semicolons_and_decimal_commas,
    csv_in_two_files,
    csv_and_parquet,
    parquet_in_row_groups,
    parquet_of_pandas,
    lines_of_json,
    lines_of_json_that_change,
    lines_of_json_of_mixed_types,
)


def ragged_csv(folder: Path) -> str:
    return written(folder / "t.csv", [*lines(), "x1,30"])


def csv_with_an_unclosed_quote(folder: Path) -> str:
    return written(folder / "t.csv", [*lines(), 'x1,30,1.5,"web,2024-05-01,1,n,no'])


def csv_with_binary_data(folder: Path) -> str:
    return written(folder / "t.csv", [*lines(), "x1,30,1.5,w\0b,2024-05-01,1,n,no"])


def csv_without_a_target(folder: Path) -> str:
    return written(folder / "t.csv", [*lines(), "x1,30,1.5,web,2024-05-01,1,n,"])


def csv_cut_short(folder: Path) -> str:
    name = csv_gzipped(folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    return name


def parquet_cut_short(folder: Path) -> str:
    name = parquet_in_row_groups(folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    return name


def parquet_of_lists(folder: Path) -> str:
    tags = pa.array([["a"], None] * (ROWS // 2))
    parquet.write_table(table().append_column("tags", tags), folder / "t.parquet")
    return "t.parquet"


def json_with_a_bad_line(folder: Path) -> str:
    return written(folder / "t.jsonl", [*map(json.dumps, records()), '{"x": 1'])


def json_of_lists(folder: Path) -> str:
    return jsonl(folder / "t.jsonl", [*records(), {"x": 1, "tags": [1], "target": 0}])


def files_of_other_columns(folder: Path) -> str:
    written(folder / "part-1.csv", lines(900))
    written(folder / "part-2.csv", lines(900, header="id,age,spent,where,day,fee,remark,target"))
    return "part-*.csv"


BAD_TABLES = {
    ragged_csv: "line 30,002 has 2",
    csv_with_an_unclosed_quote: "cell",
    csv_with_binary_data: "binary data",
    csv_without_a_target: "row 30001",
    csv_cut_short: "cut short",
    parquet_cut_short: "cannot be read as a Parquet file",
    parquet_of_lists: "'tags'",
    json_with_a_bad_line: "line 3001 is not JSON",
    json_of_lists: "'tags'",
    files_of_other_columns: "part-2.csv does not have the columns of part-1.csv",
}


@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_both_ways_make_the_same_split(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Make
) -> None:
    small, large = preprocessed_both_ways(monkeypatch, tmp_path, make(tmp_path))

    assert small.error == ("", "", "")
    assert small == large
    assert (small.mapped, large.mapped) == (False, make is not lines_of_json_of_mixed_types)


@pytest.mark.parametrize(
    "sets",
    [
        ("data.format=parquet", "split.method=random"),
        ("split.method=time:day", 'data.ignore=["note"]'),
        ("split.method=group:where", "train.weight=age"),
        ("data.unlabelled=drop", "data.rare_classes=merge", "data.target=where"),
        ('data.text=["note"]', 'data.na_values=["30", "42"]'),
    ],
)
def test_both_ways_make_the_same_split_by_other_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sets: tuple[str, ...]
) -> None:
    rare = 'x1,30,1.5,attic,2024-05-01,"$1,100.50",n,no'
    source = written(tmp_path / "t.csv", [*lines(), rare])

    small, large = preprocessed_both_ways(monkeypatch, tmp_path, source, *sets)

    assert small.error == ("", "", "")
    assert small == large
    assert large.mapped


@pytest.mark.parametrize(
    ("make", "words"), BAD_TABLES.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_both_ways_fail_alike(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Make, words: str
) -> None:
    small, large = preprocessed_both_ways(monkeypatch, tmp_path, make(tmp_path))

    assert words in small.error[1]
    assert small == large


def test_both_ways_find_the_same_drift(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before, now = tmp_path / "before.csv", tmp_path / "now.csv"
    written(before, lines())
    written(now, [line.replace(",web,", ",app,").replace(",2", ",9", 1) for line in lines()])
    options = PreprocessOptions(DataSection(), SplitSection(), TrainSection())
    first = preprocess(read_source([before], DataSection()).table, options, None)
    accepted = AcceptedTable(first.contract, first.profile)

    small = preprocess(read_source([now], DataSection()).table, options, accepted)
    monkeypatch.setattr(reading, "IN_MEMORY_BYTES", 0)
    read = read_source([now], DataSection(), work=tmp_path / "work")
    large = preprocess(read.table, options, accepted)

    assert [one.column for one in small.drift if one.drifted] == ["where"]
    assert small == large


def test_a_full_disk_is_said_to_be_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written(tmp_path / "t.csv", lines())
    monkeypatch.setattr(reading, "IN_MEMORY_BYTES", 0)

    with small_files(1 << 20), pytest.raises(StorageFull, match="no room left to write a table in"):
        read_source([tmp_path / "t.csv"], DataSection(), work=tmp_path / "work")

    assert not list((tmp_path / "work").iterdir())
