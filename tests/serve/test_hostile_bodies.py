"""Invalid and malicious bodies get a 4xx that says what is wrong and where, never a wrong score."""

import gzip
import io
import json
import random
import zlib
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import requests

from tests.serve.conftest import Shop
from tests.serve.test_forms import ROWS, as_csv, as_parquet, send

GOOD = as_csv(ROWS)
HEADER, FIRST, REST = GOOD.split(b"\n", 2)


def problem(answer: requests.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    assert "/tmp" not in answer.text
    found: dict[str, object] = answer.json()
    assert found["status"] == status
    assert found["detail"]
    return found


@pytest.mark.parametrize(
    ("change", "column", "rule", "rows", "total"),
    [
        (lambda text: text.replace(b'"age"', b'"Age "'), "age", "absent", [], 0),
        (lambda text: text.replace(b'"age"', b'"spent"'), "age", "absent", [], 0),
        (lambda text: text.replace(b'"age"', b'"spent"'), "spent", "duplicate_column", [], 0),
        (lambda text: set_cell(text, 1, b"old", range(7)), "age", "type", [1, 2, 3, 4, 5], 7),
        (lambda text: set_cell(text, 1, b"1e999", [5]), "age", "infinite", [6], 1),
        (lambda text: set_cell(text, 1, b"5000", [119]), "age", "range", [120], 1),
        (lambda text: set_cell(text, 1, b"", [2, 3]), "age", "missing", [3, 4], 2),
        (lambda text: set_cell(text, 1, b"0x10", [2]), "age", "type", [3], 1),
        (lambda text: set_cell(text, 1, b"1_0", [2]), "age", "type", [3], 1),
        (lambda text: set_cell(text, 1, b"inf", [2]), "age", "infinite", [3], 1),
        (lambda text: set_cell(text, 1, b"30,40", [2, 9]), "", "cells", [3, 10], 2),
    ],
)
def test_a_broken_rule_is_named_with_column_and_rows(
    shop: Shop,
    change: Callable[[bytes], bytes],
    column: str,
    rule: str,
    rows: list[int],
    total: int,
) -> None:
    answer = send(shop, change(GOOD))
    violations = problem(answer, 422)["violations"]
    assert isinstance(violations, list)
    matching = [one for one in violations if (one["column"], one["rule"]) == (column, rule)]
    assert [(one["rows"], one["total"]) for one in matching] == [(rows, total)]


def set_cell(text: bytes, column: int, value: bytes, rows: "range | list[int]") -> bytes:
    lines = text.split(b"\n")
    for row in rows:
        cells = lines[row + 1].split(b",")
        cells[column] = value
        lines[row + 1] = b",".join(cells)
    return b"\n".join(lines)


def test_row_numbers_continue_through_all_blocks_of_a_large_body(shop: Shop) -> None:
    rows = [f"v{number},{20 + number % 50},3.5,web" for number in range(25_000)]
    rows[20_000] = rows[20_000].replace("3.5", "much")
    rows[24_998] = rows[24_998].replace("3.5", "much")
    body = "visit_id,age,spent,where\n" + "\n".join(rows)
    violations = problem(send(shop, body.encode()), 422)["violations"]
    assert isinstance(violations, list)
    (violation,) = violations
    assert (violation["rule"], violation["rows"], violation["total"]) == (
        "type",
        [20_001, 24_999],
        2,
    )


def test_a_misspelt_column_name_gets_a_suggestion(shop: Shop) -> None:
    body = problem(send(shop, GOOD.replace(b'"spent"', b'"spend"')), 422)
    assert "'spend' may be meant" in str(body["detail"])


RUBBISH = {
    "nothing": b"",
    "blank lines": b"\n\n  \n",
    "a header without an end": HEADER,
    "a header": HEADER + b"\n\n",
    "binary": b"\x00\xff\xfe\x01" * 500,
    "noise": random.Random(0).randbytes(20_000),
    "latin-1": GOOD.replace(b'"street"', "Stra\u00dfe".encode("latin-1")),
    "utf-16 without a mark": GOOD.decode().encode("utf-16-le"),
    "gzip cut short": gzip.compress(GOOD, mtime=0)[:-20],
    "damaged gzip": gzip.compress(GOOD, mtime=0)[:30] + b"\x00" * 40,
    "no Parquet": b"PAR1" + b"\0" * 100,
    "Parquet cut short": as_parquet(ROWS)[:-50],
    "no ZIP": b"PK\x03\x04" + b"\0" * 100,
    "HTML": b"<!doctype html><html><body>no table</body></html>",
    "PDF": b"%PDF-1.7 and so on",
    "an open quote": HEADER + b'\n"v1,30,5.0,web\n' + FIRST,
    "open objects": b'{"age": ' * 1000,
    "open arrays": b"[" * 100_000,
    "an empty object": b"{}",
    "an empty array": b"[]",
    "an array of numbers": b"[1, 2]",
    "nested values": b'[{"age": {"a": 1}, "spent": [1], "where": null}]',
    "a word": b"true",
    "an unknown delimiter": b"age\x1fspent\x1fwhere\n1\x1f2\x1f3\n",
}


@pytest.mark.parametrize("name", RUBBISH)
@pytest.mark.parametrize("kind", ["text/csv", "application/octet-stream", "application/json"])
def test_a_body_that_is_not_a_table_is_refused(shop: Shop, name: str, kind: str) -> None:
    answer = send(shop, RUBBISH[name], kind)
    assert 400 <= answer.status_code < 500, answer.text[:300]
    problem(answer, answer.status_code)


@pytest.mark.parametrize(
    "record",
    [
        {"age": True, "spent": 3.0, "where": "web"},
        {"age": [30], "spent": 3.0, "where": "web"},
        {"age": 10**17, "spent": 3.0, "where": "web"},
        {"age": -1, "spent": 3.0, "where": "web"},
        {"age": "thirty", "spent": 3.0, "where": "web"},
        {"age": None, "spent": 3.0, "where": "web"},
        {"spent": 3.0, "where": "web"},
    ],
)
def test_a_record_that_breaks_the_contract_names_the_column(
    shop: Shop, record: dict[str, object]
) -> None:
    answer = send(shop, json.dumps(record).encode(), "application/json")
    details = problem(answer, 422)
    assert "'age'" in str(details["detail"])


def test_numbers_may_come_as_text_in_json_as_in_csv(shop: Shop) -> None:
    plain, quoted = (
        send(shop, json.dumps(record).encode(), "application/json").json()
        for record in (
            {"age": 30, "spent": 3.5, "where": "web"},
            {"age": " 30 ", "spent": "3.5e0", "where": "web"},
        )
    )
    assert plain == quoted


def bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = b"\n" * (1 << 20)
    packed = [packer.compress(HEADER + b"\n"), *(packer.compress(block) for _ in range(megabytes))]
    return b"".join([*packed, packer.flush()])


def parquet_of(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


def repeated() -> bytes:
    """Return 8 MB in memory of some hundred bytes in the file, where texts may take 512 KB at once."""
    return parquet_of(
        pa.table({"age": [30] * 2000, "spent": [5.0] * 2000, "where": ["w" * 4096] * 2000})
    )


TOO_MUCH: dict[str, Callable[[], bytes]] = {  # made by the test: some take seconds
    "texts of 4,096 bytes, each stored once for many rows": repeated,
    "more than 5,000 columns": lambda: parquet_of(pa.table({f"c{at}": [1] for at in range(5_001)})),
    "max_body_mb": lambda: HEADER + b"\n" + (FIRST + b"\n") * 500_000,
    "gzip data exceeds": lambda: bomb(600),
    "by serve.max_buffered_mb": lambda: HEADER + b"\n" + (b"v" * 2000 + b",30,5,web\n") * 2_000,
    "max_rows": lambda: HEADER + b"\n" + (b"v,30,5,web\n" * 28_001),
    "10,000 columns": lambda: ",".join(f"c{at}" for at in range(10_000)).encode() + b"\n1\n",
    "JSON is buffered whole": lambda: b"[" + b'{"age": 1},' * 300_000 + b"{}]",
}


@pytest.mark.parametrize("reason", TOO_MUCH)
def test_a_body_beyond_a_limit_is_answered_with_413(shop: Shop, reason: str) -> None:
    body, status = TOO_MUCH[reason](), 413
    answer = send(shop, body, "application/octet-stream")
    assert reason in str(problem(answer, status)["detail"])
    form = {"file": ("rows.csv", body)}
    answer = requests.post(f"{shop.address}/predict", files=form, timeout=60)
    assert reason in str(problem(answer, status)["detail"])


def test_the_problem_for_a_form_without_the_field_names_its_fields(shop: Shop) -> None:
    answer = requests.post(f"{shop.address}/predict", files={"data": ("a.csv", GOOD)}, timeout=30)
    assert "'data'" in str(problem(answer, 422)["detail"])
    for form in (
        b"--x\r\n",
        b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nage",
        b"rubbish",
    ):
        answer = send(shop, form, "multipart/form-data; boundary=x")
        assert 400 <= answer.status_code < 500
    assert send(shop, GOOD, "multipart/form-data").status_code == 400
    assert send(shop, GOOD, "image/png").status_code == 415
