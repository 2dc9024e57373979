"""Rows of a request in which no cell has a value: left out, with their numbers in a header."""

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import pytest
from flask.testing import FlaskClient
from openpyxl import Workbook
from werkzeug.test import TestResponse

from tests.fakes.trained import Trained, is_merged, scores_in, train
from tests.serve.tables.base import rows
from tests.serve.test_round_trip import EXCEL

MADE = rows(90)
NUMBERS = "4; rows=3,6-7,54"


def _lines(write: Callable[[Any], str], blank: str) -> list[str]:
    found: list[str] = []
    for row in MADE:
        found += [blank] * {2: 1, 4: 2, 50: 1}.get(row.at, 0)
        found.append(write(row))
    return found


def table(*, target: bool = True, blank: str = ";;;") -> str:
    """Return a table with four blank rows, with its target or without it."""
    text = _lines(lambda row: f"{row.at + 100};{row.a};{'uvw'[row.pick]};{row.y}", blank)
    text = ["id;a;c;y", *text]
    return "\n".join(text if target else [line.rpartition(";")[0] for line in text]) + "\n"


def records(blank: Mapping[str, object]) -> list[dict[str, object]]:
    texts = _lines(
        lambda row: json.dumps({"id": row.at + 100, "a": float(row.a), "c": "uvw"[row.pick]}),
        json.dumps(blank),
    )
    return [json.loads(text) for text in texts]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("blank")
    (folder / "rows.csv").write_text(table())
    settings = {"data.source": folder / "rows.csv", "data.target": "y", "data.id": "id"}
    return train(folder, settings.items())


@pytest.fixture(scope="module", params=[False, pytest.param(True, marks=pytest.mark.compiler)])
def client(request: pytest.FixtureRequest, model: Trained) -> FlaskClient:
    return model.client(compiled=request.param)


def _excel(frame: pd.DataFrame) -> bytes:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(list(frame.columns))
    for row in frame.astype(object).where(frame.notna(), None).to_numpy().tolist():
        sheet.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def _parquet(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.to_parquet(sink, index=False)
    return sink.getvalue()


def _lined(blank: Mapping[str, object]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records(blank))


NULLS: Mapping[str, object] = {"id": None, "a": None, "c": ""}
FRAME = pd.DataFrame(records(dict.fromkeys(NULLS)))
FORMS: Mapping[str, tuple[str, bytes]] = {
    "the file": ("text/csv", table().encode()),
    "without its target": ("text/csv", table(target=False).encode()),
    "with texts that mean missing": ("text/csv", table(blank="NA; ;n/a;").encode()),
    "empty objects": ("application/json", json.dumps(records({})).encode()),
    "nulls": ("application/json", json.dumps(records(NULLS)).encode()),
    "a long document": ("application/json", json.dumps(records(NULLS), indent=400).encode()),
    "lines of empty objects": ("application/x-ndjson", _lined({})),
    "lines of nulls": ("application/x-ndjson", _lined(NULLS)),
    "Excel": (EXCEL, _excel(FRAME)),
    "Parquet": ("application/octet-stream", _parquet(FRAME)),
}


def post(client: FlaskClient, kind: str, body: bytes, route: str = "/predict") -> TestResponse:
    return client.post(route, data=body, content_type=kind)


@pytest.mark.parametrize("form", FORMS)
def test_blank_rows_are_left_out_and_named(client: FlaskClient, model: Trained, form: str) -> None:
    answer = post(client, *FORMS[form])

    assert answer.status_code == 200, answer.text
    found = answer.get_json()
    assert [row["id"] for row in found] == [row.at + 100 for row in MADE]
    assert is_merged([scores_in(row) for row in found], model.train_scores, model.test_scores)
    assert answer.headers["X-Blank-Rows"] == NUMBERS


def test_without_blank_rows_there_is_no_such_header(client: FlaskClient) -> None:
    answer = post(client, "text/csv", b"id;a;c\n1;0.5;u\n\n2;0.7;v\n")
    assert (answer.status_code, "X-Blank-Rows" in answer.headers) == (200, False)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/csv", b"id;a;c\n;;\n1;0.5;u\n;;\n2;x;v\n"),
        ("application/x-ndjson", b'{}\n{"a":0.5,"c":"u"}\n{}\n{"a":"x","c":"v"}\n'),
        (EXCEL, _excel(pd.DataFrame({"a": [None, 0.5, None, "x"], "c": [None, "u", None, "v"]}))),
    ],
)
def test_the_rows_of_violations_are_counted_with_the_blank_ones(
    client: FlaskClient, kind: str, body: bytes
) -> None:
    answer = post(client, kind, body)
    assert answer.status_code == 422
    (violation,) = answer.get_json()["violations"]
    assert violation["rows"] == [4]


def test_a_row_with_any_value_is_no_blank_row(client: FlaskClient) -> None:
    """Here it has an id, or a target that is ignored: training would have used it."""
    for body in (b"id;a;c\n7;;\n1;0.5;u\n", b"a;c;y\n;;1\n0.5;u;0\n"):
        answer = post(client, "text/csv", body)
        assert "X-Blank-Rows" not in answer.headers
        assert answer.status_code == 422 or len(answer.get_json()) == 2


@pytest.mark.parametrize("body", [b"id;a;c\n;;\n", b"a;c\n;\n;\n"])
def test_a_request_of_blank_rows_alone_is_refused(client: FlaskClient, body: bytes) -> None:
    answer = post(client, "text/csv", body)
    assert (answer.status_code, answer.get_json()["detail"]) == (
        422,
        "no row of the request has a value",
    )


def test_invocations_answers_each_row(client: FlaskClient) -> None:
    """MLflow's clients match answers by their position: a blank row is a row like any other."""
    body = json.dumps({"dataframe_records": [{"a": 0.5, "c": "u"}, {"a": None, "c": None}]})
    answer = post(client, "application/json", body.encode(), "/invocations")

    assert "X-Blank-Rows" not in answer.headers
    if answer.status_code == 200:
        assert len(answer.get_json()["predictions"]) == 2
    else:
        assert {tuple(one["rows"]) for one in answer.get_json()["violations"]} == {(2,)}


def test_the_header_is_bounded(client: FlaskClient) -> None:
    body = "id;a;c\n" + "1;0.5;u\n;;\n" * 5_000
    answer = post(client, "text/csv", body.encode())

    header = answer.headers["X-Blank-Rows"]
    assert header.startswith("5000; rows=2,4,6,8")
    assert header.endswith(",...")
    assert len(header) < 1_000
    assert len(answer.get_json()) == 5_000
