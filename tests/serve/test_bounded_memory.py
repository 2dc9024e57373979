"""Whatever a body holds, reading and answering it takes at most four times serve.max_buffered_mb."""

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
from flask.testing import FlaskClient
from pyarrow import parquet

from tests.fakes.tables import shop_table
from tests.fakes.tracing import tracing_paused
from tests.fakes.trained import train

BUFFERED_MB = 2
JSON = "application/json"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PARQUET = "application/vnd.apache.parquet"
ROW = b'{"visit_id":"v","age":30,"spent":3.5,"where":"web"}'
LONG_ID = ROW.replace(b'"v"', b'"' + "\U0001f600".encode() + b"a" * 500 + b'"')
LONG_TEXT = 400_000  # orjson reserves twelve bytes for each of them, of which it touches one or two
LONG_CELLS = 1_000  # of 100,000 characters: twelve times the bound
EMPTY_RECORDS = 200_000  # as Python's objects, they take one and a half times the bound
FEATURES = b'"columns":["age","spent","where"]'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("bounded")
    arrow_csv.write_csv(shop_table(), folder / "shop.csv")
    settings = {
        "data.source": folder / "shop.csv",
        "data.target": "bought",
        "data.id": "visit_id",
        "serve.max_buffered_mb": BUFFERED_MB,
        "serve.max_columns": 100,
    }
    client = train(folder, settings.items()).client(compiled=False)
    for kind, body in (
        (JSON, ROW),
        (EXCEL, workbook(b"")),
        (PARQUET, parquet_of(rows(9))),
    ):  # imports take memory, once
        assert client.post("/predict", data=body, content_type=kind).status_code == 200
    return client


def filled(before: bytes, unit: bytes, after: bytes, mark: bytes = b",") -> bytes:
    """Return a body of as many units as the limit allows."""
    count = ((BUFFERED_MB << 20) - len(before) - len(after)) // (len(unit) + len(mark))
    return before + mark.join([unit] * count) + after


def workbook(rows: bytes) -> bytes:
    """Return a workbook with these rows behind a good one."""
    book, made, sink = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    book.worksheets[0].append(["age", "spent", "where"])
    book.worksheets[0].append([30, 3.5, "web"])
    book.save(made)
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                part = part.replace(b"</sheetData>", rows + b"</sheetData>")
            new.writestr(name, part)
    return sink.getvalue()


def rows(count: int, ids: bool = True, **others: Any) -> pa.Table:
    """Return rows of numbers that cannot be compressed."""
    random = np.random.default_rng(0)
    columns = {
        "age": random.uniform(18, 80, count),
        "spent": random.uniform(1, 9, count),
        "where": random.choice(["web", "shop"], count),
    }
    more: dict[str, Any] = {"visit_id": [f"visit-{at}" for at in range(count)]} if ids else {}
    return pa.table(columns | more | others)


def parquet_of(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink, **options)
    return sink.getvalue()


def many_groups() -> bytes:
    """Return a file whose row groups have one row each, and dictionaries of their own."""
    sink = io.BytesIO()
    table = rows(1)
    with parquet.ParquetWriter(sink, table.schema) as writer:
        for _ in range(700):
            writer.write_table(table)
    return sink.getvalue()


def long_texts(name: str, **options: Any) -> bytes:
    """Return few bytes that hold a long text in each of many rows."""
    table = rows(LONG_CELLS, ids=False, **{name: ["w" * 100_000] * LONG_CELLS})
    return parquet_of(table, **options)


DELTA = {"use_dictionary": False, "column_encoding": {"visit_id": "DELTA_BYTE_ARRAY"}}
SPLIT = b'{"dataframe_split":{%b,"data":[' % FEATURES
BODIES: dict[str, tuple[str, Callable[[], bytes], set[int]]] = {
    "records": (JSON, lambda: filled(b"[", ROW, b"]"), {200, 413}),
    "split": (JSON, lambda: filled(SPLIT, b'[30,3.5,"web"]', b"]}}"), {413}),
    "split, columns last": (
        JSON,
        lambda: filled(b'{"dataframe_split":{"data":[', b'[30,3.5,"w"]', b"],%b}}" % FEATURES),
        {413},
    ),
    "positional": (JSON, lambda: filled(b'{"inputs":[', b'[30,3.5,"web"]', b"]}"), {413}),
    "columns": (
        JSON,
        lambda: json.dumps(
            {"inputs": {"age": [30] * 150_000, "spent": [1] * 150_000, "where": ["w"] * 150_000}},
            separators=(",", ":"),
        ).encode(),
        {413},
    ),
    "empty records": (JSON, lambda: b"[" + ROW + b",{}" * EMPTY_RECORDS + b"]", {200}),
    "empty rows": (JSON, lambda: filled(b'{"inputs":[', b"[]", b"]}"), {422}),
    "ids of wide characters": (JSON, lambda: filled(b"[", LONG_ID, b"]"), {200, 413}),
    "one long id": (JSON, lambda: ROW.replace(b'"v"', b'"' + b"v" * LONG_TEXT + b'"'), {200}),
    "many columns": (
        JSON,
        lambda: json.dumps({str(at): 1 for at in range(150_000)}).encode(),
        {413},
    ),
    "a column in each record": (
        JSON,
        lambda: json.dumps([{str(at): 1} for at in range(120_000)]).encode(),
        {413},
    ),
    "many values in one": (JSON, lambda: filled(b'[{"x":[', b"[]", b"]}]"), {413}),
    "deep": (JSON, lambda: b"[" * 2_000_000, {422}),
    "a long number": (JSON, lambda: b'[{"age":' + b"1" * LONG_TEXT + b"}]", {422}),
    "a long line": ("application/x-ndjson", lambda: filled(b'{"x":[', b"[]", b"]}"), {413}),
    "cells far to the right": (
        EXCEL,
        lambda: workbook(b'<row><c r="XFD9"><v>1</v></c></row>' * 50_000),
        {413},
    ),
    "empty cells": (EXCEL, lambda: workbook((b"<row>" + b"<c/>" * 90 + b"</row>") * 4_000), {413}),
    "numbers of Parquet": (
        PARQUET,
        lambda: parquet_of(rows(25_000, ids=False), row_group_size=5_000),
        {200},
    ),
    "ids of Parquet": (PARQUET, lambda: parquet_of(rows(60_000)), {200, 413}),
    "one page of Parquet": (
        PARQUET,
        lambda: parquet_of(
            rows(400_000, False, age=[30] * 400_000, spent=[3.5] * 400_000),
            use_dictionary=False,
            data_page_size=1 << 30,
            max_rows_per_page=1 << 30,
        ),
        {413},
    ),
    "many rows of Parquet": (
        PARQUET,
        lambda: parquet_of(rows(400_000, False, age=[30] * 400_000, spent=[3.5] * 400_000)),
        {413},
    ),
    "a long text in Parquet": (PARQUET, lambda: long_texts("where"), {413}),
    "a long id in Parquet": (PARQUET, lambda: long_texts("visit_id"), {413}),
    "a long id as a difference": (PARQUET, lambda: long_texts("visit_id", **DELTA), {413}),
    "a long category in Parquet": (
        PARQUET,
        lambda: parquet_of(
            rows(LONG_CELLS, False).set_column(
                2, "where", pa.array(["w" * 100_000] * LONG_CELLS).dictionary_encode()
            )
        ),
        {413},
    ),
    "a long text that is ignored": (PARQUET, lambda: long_texts("note"), {200}),
    "many row groups": (PARQUET, many_groups, {200, 413}),
    "one row of a sheet": (EXCEL, lambda: workbook(b"<row>" + b"<c/>" * 800_000), {413}),
}


@pytest.fixture
def untraced() -> Iterator[None]:
    with tracing_paused():  # memory is measured here, and not coverage
        yield


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("name", BODIES)
def test_the_memory_of_a_request_is_bounded(client: FlaskClient, name: str) -> None:
    kind, make, statuses = BODIES[name]
    body = make()
    stream = io.BytesIO(body)
    pool = pa.proxy_memory_pool(
        pa.default_memory_pool()
    )  # Python does not trace what Arrow allocates
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        answer = client.post(
            "/predict", input_stream=stream, content_length=len(body), content_type=kind
        )
        peak = tracemalloc.get_traced_memory()[1] - before + pool.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(pa.system_memory_pool())
    print(f"{name}: {len(body):,} bytes, {answer.status_code}, {peak / (BUFFERED_MB << 20):.2f} x")
    assert answer.status_code in statuses, answer.text[:300]
    assert peak <= 4 * BUFFERED_MB << 20
    assert "Traceback" not in answer.text[:1000]
