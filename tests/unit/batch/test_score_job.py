"""A file is scored as POST /predict scores it, in whatever pieces and forms."""

import gzip
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
from pyarrow import parquet

from lightmodel.errors import (
    ArtefactMissing,
    ConfigError,
    ContractViolation,
    DataError,
)
from lightmodel.scoring.answer_writers import csv_lines
from tests.fakes.scoring_jobs import Jobs, as_lines
from tests.fakes.streams import visit
from tests.fakes.tables import shop_table

CSV, LINES = "text/csv", "application/x-ndjson"
TABLE = shop_table(700, seed=3).drop_columns(["bought"])


def as_csv(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    arrow_csv.write_csv(table, sink)
    return bytes(sink.getvalue())


def as_parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, row_group_size=100)
    return bytes(sink.getvalue())


FORMS = {
    "rows.csv": as_csv(TABLE),
    "semicolons.csv": as_csv(TABLE).replace(b",", b";"),
    "windows.csv": as_csv(TABLE).replace(b"\n", b"\r\n"),
    "blank.csv": as_csv(TABLE).replace(b"\n", b"\n,,,\n\n", 300),
    "utf16.csv": as_csv(TABLE).decode().encode("utf-16"),
    "rows.csv.gz": gzip.compress(as_csv(TABLE)),
    "rows.jsonl": as_lines(TABLE.to_pylist()),
    "rows.json": orjson.dumps(TABLE.to_pylist()),
    "rows.parquet": as_parquet(TABLE),
}


@pytest.mark.parametrize("name", FORMS)
def test_answers_are_those_of_the_service(jobs: Jobs, name: str) -> None:
    (jobs.folder / name).write_bytes(FORMS[name])
    for out, accept in (("out.csv", CSV), ("out.jsonl", LINES)):
        result = jobs(Path(name), out)
        assert result.scored == 700
        assert jobs.out(out) == jobs.served(FORMS[name], accept)
    jobs(Path(name), "out.parquet")
    table = parquet.read_table(jobs.folder / "out.parquet")
    assert table.to_pylist() == [*map(orjson.loads, jobs.out("out.jsonl").splitlines())]


def test_quoted_cells_of_several_lines_stay_whole(jobs: Jobs) -> None:
    rows = [[f'a "{n}"\n\nb, c', 20 + n % 50, n / 7, "web"] for n in range(800)]
    text = csv_lines([TABLE.column_names, *rows])
    (jobs.folder / "rows.csv").write_bytes(text)
    jobs(Path("rows.csv"))
    assert jobs.out() == jobs.served(text, CSV)


def test_several_processes_give_the_same_bytes(jobs: Jobs) -> None:
    (jobs.folder / "rows.csv").write_bytes(FORMS["rows.csv"])
    jobs(Path("rows.csv"), "one.csv")
    jobs(Path("rows.csv"), "two.csv", processes=2)
    assert jobs.out("one.csv") == jobs.out("two.csv")


def test_a_violation_in_another_process_has_its_row(jobs: Jobs) -> None:
    rows = [visit(number) for number in range(400)]
    rows[333]["age"] = "old"
    (jobs.folder / "rows.jsonl").write_bytes(as_lines(rows))
    with pytest.raises(ContractViolation, match=r"(?s)rows\.jsonl breaks 1 rule.*'age'.*row 334;"):
        jobs(Path("rows.jsonl"), processes=2)


def test_files_of_a_folder_and_of_a_glob_are_one_table(jobs: Jobs) -> None:
    folder = jobs.folder / "parts"
    folder.mkdir()
    for part in range(3):
        (folder / f"part-{part}.csv").write_bytes(as_csv(TABLE.slice(part * 200, 200)))
    (folder / "_SUCCESS").write_bytes(b"")
    jobs(Path("parts"), "folder.csv")
    jobs(Path("parts/*.csv"), "glob.csv")
    expected = jobs.served(as_csv(TABLE.slice(0, 600)), CSV)
    assert jobs.out("folder.csv") == jobs.out("glob.csv") == expected


def test_an_id_column_in_some_files_only_is_refused(jobs: Jobs) -> None:
    (jobs.folder / "a.csv").write_bytes(as_csv(TABLE.drop_columns(["visit_id"])))
    (jobs.folder / "b.csv").write_bytes(as_csv(TABLE))
    with pytest.raises(DataError, match=r"b\.csv: it has the column 'visit_id'"):
        jobs(Path("*.csv"))
    (jobs.folder / "a.csv").rename(jobs.folder / "c.csv")
    jobs(Path("*.csv"), "out.jsonl")
    ids = [orjson.loads(line)["visit_id"] for line in jobs.out("out.jsonl").splitlines()]
    assert ids == [*TABLE["visit_id"].to_pylist(), *[None] * 700]


def test_rows_without_ids_have_answers_without(jobs: Jobs) -> None:
    text = as_csv(TABLE.drop_columns(["visit_id"]))
    (jobs.folder / "rows.csv").write_bytes(text)
    jobs(Path("rows.csv"))
    assert jobs.out() == jobs.served(text, CSV)
    assert jobs.out().startswith(b"prediction,probability\n")


BAD: dict[int, dict[str, Any]] = {
    9: {"age": "old"},
    10: {"where": 7.5, "age": []},
    250: {"age": None, "spent": "x"},
}


def with_bad_rows() -> list[dict[str, Any]]:
    return [{**visit(number), **BAD.get(number, {})} for number in range(300)]


def test_stopping_names_rule_and_row_and_leaves_nothing(jobs: Jobs) -> None:
    (jobs.folder / "rows.jsonl").write_bytes(as_lines(with_bad_rows()))
    with pytest.raises(ContractViolation, match=r"column 'age': .*row.* 10,") as stopped:
        jobs(Path("rows.jsonl"))
    assert "--on-error" in stopped.value.hint
    assert [path.name for path in jobs.folder.iterdir()] == ["rows.jsonl"]


def test_bad_rows_are_left_out_and_counted(jobs: Jobs) -> None:
    rows = with_bad_rows()
    (jobs.folder / "rows.jsonl").write_bytes(as_lines(rows))
    result = jobs(Path("rows.jsonl"), on_error="skip")
    assert (result.rows, result.scored, result.bad) == (300, 297, 3)
    assert "rows that break the contract, and have no answer: 3" in "\n".join(result.sentences())
    good = [row for at, row in enumerate(rows) if at not in BAD]
    assert jobs.out() == jobs.served(as_lines(good), CSV, LINES)
    assert not (jobs.folder / "out-errors.jsonl").exists()


def test_bad_rows_are_listed_without_their_cells(jobs: Jobs) -> None:
    (jobs.folder / "rows.jsonl").write_bytes(as_lines(with_bad_rows()))
    jobs(Path("rows.jsonl"), on_error="file")
    text = jobs.out("out-errors.jsonl")
    lines = [orjson.loads(line) for line in text.splitlines()]
    assert [(line["file"], line["row"]) for line in lines] == [
        ("rows.jsonl", row + 1) for row in BAD
    ]
    assert {one["column"] for one in lines[0]["violations"]} == {"age"}
    assert b"old" not in text
    (jobs.folder / "rows.jsonl").write_bytes(as_lines([visit(1)]))
    jobs(Path("rows.jsonl"), on_error="file")
    assert not (jobs.folder / "out-errors.jsonl").exists()


def test_bad_rows_of_a_csv_leave_blank_rows_and_numbers_as_they_are(jobs: Jobs) -> None:
    lines = as_csv(TABLE).splitlines(keepends=True)
    lines[5] = b"only,two\n"
    lines[7] = b",,,\n"
    lines[12] = b"v,old,1,web\n"
    (jobs.folder / "rows.csv").write_bytes(b"".join(lines))
    result = jobs(Path("rows.csv"), on_error="file")
    assert (result.rows, result.scored, result.bad) == (700, 697, 2)
    bad = [orjson.loads(line)["row"] for line in jobs.out("out-errors.jsonl").splitlines()]
    assert bad == [5, 12]
    good = b"".join(line for at, line in enumerate(lines) if at not in {5, 12})
    assert jobs.out() == jobs.served(good, CSV)


def test_bad_rows_of_parquet_are_separated(jobs: Jobs) -> None:
    ages = [str(age) for age in TABLE["age"].to_pylist()]
    ages[17] = ages[650] = "old"
    table = TABLE.set_column(1, "age", pa.array(ages))
    parquet.write_table(table, jobs.folder / "rows.parquet")
    assert jobs(Path("rows.parquet"), on_error="file").bad == 2
    bad = [orjson.loads(line)["row"] for line in jobs.out("out-errors.jsonl").splitlines()]
    assert bad == [18, 651]
    kept = [at for at in range(700) if at not in {17, 650}]
    assert jobs.out() == jobs.served(as_parquet(table.take(pa.array(kept))), CSV)


def test_an_output_without_any_answer_has_its_header(jobs: Jobs) -> None:
    bad = [{**visit(number), "age": "old"} for number in range(5)]
    (jobs.folder / "rows.jsonl").write_bytes(as_lines(bad))
    jobs(Path("rows.jsonl"), on_error="skip")
    assert jobs.out() == b"visit_id,prediction,probability\n"
    jobs(Path("rows.jsonl"), "out.parquet", on_error="skip")
    assert parquet.read_table(jobs.folder / "out.parquet").num_rows == 0


REFUSED = {
    "no column": (b"a,b\n1,2\n", r"rows\.csv"),
    "no row": (b"visit_id,age,spent,where\n", "no row of"),
    "only blank rows": (b"visit_id,age,spent,where\n,,,\n", "no row of"),
    "a quote that is never closed": (b'visit_id,age,spent,where\n"v,1,2,web\n', "never closed"),
    "no table": (b"%PDF-1.4 ...", "PDF"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_table_is_refused(jobs: Jobs, text: bytes, message: str) -> None:
    (jobs.folder / "rows.csv").write_bytes(text)
    with pytest.raises(DataError, match=message):
        jobs(Path("rows.csv"), on_error="skip")
    assert [path.name for path in jobs.folder.iterdir()] == ["rows.csv"]


def test_a_line_that_is_no_object_is_named(jobs: Jobs) -> None:
    rows = as_lines([visit(number) for number in range(300)]) + b"{age\n"
    (jobs.folder / "rows.jsonl").write_bytes(rows)
    with pytest.raises(DataError, match=r"rows\.jsonl: .*line 301"):
        jobs(Path("rows.jsonl"))


def test_missing_inputs_versions_and_formats_are_refused(jobs: Jobs) -> None:
    (jobs.folder / "rows.csv").write_bytes(FORMS["rows.csv"])
    with pytest.raises(DataError, match="there is no file"):
        jobs(Path("row.csv"))
    with pytest.raises(ConfigError, match=r"\.csv, \.jsonl"):
        jobs(Path("rows.csv"), "out.xlsx")
    with pytest.raises(ArtefactMissing):
        jobs(Path("rows.csv"), version="20200101T000000000000Z-abcdef")
    with pytest.raises(ConfigError, match="would be replaced"):
        jobs(Path("*.csv"), "rows.csv")


def test_a_folder_without_tables_is_refused(jobs: Jobs) -> None:
    with pytest.raises(DataError, match="looks like a table"):
        jobs(Path())
