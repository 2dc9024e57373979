"""Requests in every format get the same answers, in every format of an answer."""

import csv
import gzip
import io
import json
import math
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet
import pytest
import requests

from tests.fakes.tables import shop_table
from tests.serve.conftest import Shop

ROWS = shop_table(rows=120, seed=3).drop_columns(["bought"])


def as_csv(table: pa.Table, delimiter: str = ",") -> bytes:
    sink = io.BytesIO()
    arrow_csv.write_csv(table, sink, arrow_csv.WriteOptions(delimiter=delimiter))
    return sink.getvalue()


def records(table: pa.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def send(shop: Shop, body: bytes, kind: str = "text/csv", **options: str) -> requests.Response:
    headers = {
        "Content-Type": kind,
        **({"Accept": options.pop("accept")} if "accept" in options else {}),
    }
    return requests.post(
        f"{shop.address}/predict", data=body, headers=headers, params=options, timeout=60
    )


def expected(shop: Shop) -> list[dict[str, Any]]:
    answer = send(shop, as_csv(ROWS))
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()
    assert [row["visit_id"] for row in rows] == ROWS["visit_id"].to_pylist()
    return rows


def as_parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


def as_excel(table: pa.Table) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.create_sheet(index=0)
    sheet.append(table.column_names)
    for row in records(table):
        sheet.append(list(row.values()))
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def as_lines(table: pa.Table) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in records(table))


FILES = {
    "rows.csv": as_csv(ROWS),
    "rows.csv.gz": gzip.compress(as_csv(ROWS)),
    "rows.parquet": as_parquet(ROWS),
    "rows.jsonl": as_lines(ROWS),
    "rows.json": json.dumps(records(ROWS), indent=1).encode(),
    "rows.xlsx": as_excel(ROWS),
    "semicolons.csv": as_csv(ROWS, ";").replace(b".", b","),
    "tabs.tsv": as_csv(ROWS, "\t"),
    "marked.csv": b"\xef\xbb\xbf" + as_csv(ROWS),
    "utf16.csv": as_csv(ROWS).decode().encode("utf-16"),
    "windows.csv": as_csv(ROWS).replace(b"\n", b"\r\n"),
    "unended.csv": as_csv(ROWS).rstrip(b"\n"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_all_formats_get_the_same_answers(shop: Shop, name: str) -> None:
    form = {"note": (None, b"not the file"), "file": (name, FILES[name])}
    answer = requests.post(f"{shop.address}/predict", files=form, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json() == expected(shop)


SPLIT = {"columns": ROWS.column_names, "data": [list(row.values()) for row in records(ROWS)]}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", json.dumps(records(ROWS)).encode()),
        ("application/json", json.dumps({"dataframe_records": records(ROWS)}).encode()),
        ("application/json", json.dumps({"dataframe_split": SPLIT}).encode()),
        ("application/json", json.dumps({"inputs": ROWS.to_pydict()}).encode()),
        ("application/json; charset=utf-8", json.dumps({"instances": records(ROWS)}).encode()),
        ("application/x-ndjson", as_lines(ROWS)),
        ("application/x-www-form-urlencoded", as_csv(ROWS)),
        ("application/octet-stream", as_parquet(ROWS)),
        ("text/csv", gzip.compress(as_csv(ROWS))),
        ("text/csv", as_csv(ROWS.select(ROWS.column_names[::-1]))),
    ],
)
def test_raw_bodies_of_all_formats_get_the_same_answers(shop: Shop, kind: str, body: bytes) -> None:
    answer = send(shop, body, kind)
    assert answer.status_code == 200, answer.text
    assert answer.json() == expected(shop)


def test_one_record_is_answered_as_one_row(shop: Shop) -> None:
    for record, row in zip(records(ROWS)[:20], expected(shop), strict=False):
        assert send(shop, json.dumps(record).encode(), "application/json").json() == [row]


def test_answers_are_available_as_csv_and_json_lines(shop: Shop) -> None:
    rows = expected(shop)
    lines = send(shop, as_csv(ROWS), accept="application/x-ndjson")
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == rows
    table = send(shop, as_csv(ROWS), accept="text/csv")
    assert table.headers["Content-Type"].startswith("text/csv")
    csv_rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [{**row, "probability": float(row["probability"])} for row in csv_rows] == rows
    assert send(shop, as_csv(ROWS), accept="image/png").status_code == 406


def test_a_threshold_changes_the_prediction_and_not_the_probability(shop: Shop) -> None:
    rows = expected(shop)
    for threshold in (0.0, 0.31, 1.0):
        answers = send(shop, as_csv(ROWS), threshold=str(threshold)).json()
        assert [row["probability"] for row in answers] == [row["probability"] for row in rows]
        decided = ["yes" if row["probability"] >= threshold else "no" for row in rows]
        assert [row["prediction"] for row in answers] == decided


def test_contributions_name_the_most_influential_features(shop: Shop) -> None:
    answers = send(shop, as_csv(ROWS), explain="2").json()
    for row in answers:
        first, second = row["contributions"]
        assert {first["feature"], second["feature"]} < {"age", "spent", "where"}
        assert abs(first["value"]) >= abs(second["value"])
    every = send(shop, as_csv(ROWS), explain="3", accept="text/csv").text.splitlines()
    assert every[0].endswith("contribution_3_feature,contribution_3_value,base_value")
    assert len(every[1].split(",")) == len(every[0].split(","))


def test_contributions_and_the_base_value_add_up_to_the_raw_score(shop: Shop) -> None:
    for row in send(shop, as_csv(ROWS), explain="3").json():
        raw = row["base_value"] + sum(one["value"] for one in row["contributions"])
        assert 1 / (1 + math.exp(-raw)) == pytest.approx(row["probability"], rel=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": "2"},
        {"threshold": "nan"},
        {"threshold": "x"},
        {"tresh": "0.5"},
        {"explain": "0"},
        {"explain": "4"},
    ],
)
def test_an_invalid_query_is_refused(shop: Shop, options: dict[str, str]) -> None:
    answer = send(shop, as_csv(ROWS), **options)
    assert answer.status_code == 400
    assert next(iter(options)) in answer.json()["detail"]


def test_extra_columns_are_named_and_unseen_categories_counted(shop: Shop) -> None:
    table = ROWS.append_column("colour", pa.array(["red"] * len(ROWS)))
    answer = send(shop, as_csv(table).replace(b'"phone"', b'"fax"'))
    assert answer.headers["X-Ignored-Columns"] == "colour"
    count = ROWS["where"].to_pylist().count("phone")
    assert answer.headers["X-Unseen-Categories"] == f"where={count}"
    missing = send(shop, as_csv(ROWS).replace(b'"phone"', b""))
    assert [row["probability"] for row in answer.json()] != [
        row["probability"] for row in expected(shop)
    ]
    if missing.status_code == 200:
        assert missing.json() == answer.json()


def test_mlflows_clients_get_mlflows_format(shop: Shop) -> None:
    for kind, body in (
        ("text/csv", as_csv(ROWS)),
        ("application/json", json.dumps({"dataframe_split": SPLIT}).encode()),
    ):
        answer = requests.post(
            f"{shop.address}/invocations", data=body, headers={"Content-Type": kind}, timeout=30
        )
        assert answer.json() == {"predictions": expected(shop)}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json; charset=utf-8", "application/json"),
        ("text/csv;charset=utf-8", "text/csv"),
        ("text/html, text/csv;charset=utf-8;q=0.5, application/json;q=0.4", "text/csv"),
    ],
)
def test_parameters_of_the_accept_header_do_not_matter(shop: Shop, accept: str, kind: str) -> None:
    answer = send(shop, as_csv(ROWS), accept=accept)
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, kind)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/csv", as_csv(ROWS)),
        ("application/vnd.ms-excel", as_csv(ROWS)),
        ("text/json", json.dumps(records(ROWS)).encode()),
        ("text/plain", json.dumps(records(ROWS)).encode()),
        ("text/plain", as_csv(ROWS)),
        ("application/parquet", as_parquet(ROWS)),
        ("application/jsonlines", as_lines(ROWS)),
    ],
)
def test_media_types_that_clients_send_are_read(shop: Shop, kind: str, body: bytes) -> None:
    answer = send(shop, body, kind)
    assert (answer.status_code, answer.json()) == (200, expected(shop))


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd"])
def test_an_encoding_that_is_not_read_is_415_and_names_the_one_that_is(
    shop: Shop, encoding: str
) -> None:
    answer = requests.post(
        f"{shop.address}/predict",
        data=as_csv(ROWS),
        headers={"Content-Type": "text/csv", "Content-Encoding": encoding},
        timeout=60,
    )
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "gzip")
    assert encoding in answer.json()["detail"]


@pytest.mark.parametrize(
    ("route", "kind"),
    [
        ("predict", "application/json"),
        ("predict", "application/x-ndjson"),
        ("invocations", "application/json"),
    ],
)
def test_nan_in_json_is_a_missing_value(shop: Shop, route: str, kind: str) -> None:
    address, answers = f"{shop.address}/{route}", []
    for missing in ("NaN", "null"):
        body = f'{{"visit_id": {missing}, "age": 30, "spent": {missing}, "where": "web"}}\n'
        headers = {"Content-Type": kind}
        answers.append(requests.post(address, data=body, headers=headers, timeout=60))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "[NaN, Infinity]"])
def test_infinity_in_json_is_refused(shop: Shop, value: str) -> None:
    body = f'[{{"visit_id": NaN, "age": {value}, "spent": 1, "where": "web"}}]'
    answer = send(shop, body.encode(), "application/json")
    assert answer.status_code == 422
    assert "Infinity is not a finite number" in answer.json()["detail"]


@pytest.mark.parametrize("value", [{"a": 1}, ["web"], {}, []])
@pytest.mark.parametrize("column", ["where", "visit_id"])
def test_an_object_in_place_of_a_text_is_refused(shop: Shop, column: str, value: object) -> None:
    rows = [{"visit_id": "a", "age": 30, "spent": 1.0, "where": "web"} for _ in range(3)]
    rows[1][column] = value
    answer = send(shop, json.dumps(rows).encode(), "application/json")
    assert answer.status_code == 422
    (violation,) = answer.json()["violations"]
    assert (violation["column"], violation["rule"], violation["rows"]) == (column, "type", [2])


def test_the_hint_for_a_body_without_line_ends_names_curls_option(shop: Shop) -> None:
    body = as_csv(ROWS).replace(b"\n", b"")
    answer = send(shop, body, "application/x-www-form-urlencoded")
    assert answer.status_code == 422
    assert "--data-binary" in answer.json()["hint"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b'{"dataframe_split": 1}', "application/json", 400, "INVALID_PARAMETER_VALUE"),
        (b"rubbish", "application/json", 400, "BAD_REQUEST"),
        (b"age,spent\n1,2\n", "text/csv", 400, "INVALID_PARAMETER_VALUE"),
        (b"age,spent\n1,2\n", "image/png", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
)
def test_mlflows_clients_get_mlflows_errors(
    shop: Shop, body: bytes, kind: str, status: int, code: str
) -> None:
    address = f"{shop.address}/invocations"
    answer = requests.post(address, data=body, headers={"Content-Type": kind}, timeout=60)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert answer.json()["message"]
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("route", ["predict", "invocations"])
def test_two_of_mlflows_formats_in_one_body_are_refused(shop: Shop, route: str) -> None:
    body = json.dumps({"dataframe_split": SPLIT, "inputs": {"age": [1]}})
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{shop.address}/{route}", data=body, headers=headers, timeout=60)
    assert answer.status_code == (422 if route == "predict" else 400)
    assert "both dataframe_split and inputs" in answer.text
