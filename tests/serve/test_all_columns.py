"""features(table) receives all columns of a row but the target, alike in training and in each request."""

import datetime as dt
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lightmodel.scoring.model_store import open_version
from lightmodel.store.user_code import execute
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import models_of
from tests.fakes.trained import Trained, scores_in, train

MODULE = """
import pyarrow.compute as pc

SEEN = []

def features(table):
    SEEN.append(table)
    days = pc.days_between(table["signed"], table["joined"].cast("date32"))
    on_deck = pc.equal(pc.utf8_slice_codeunits(table["cabin"], 0, 1), "C")
    return {"days": days, "paid": table["fee"], "on deck C": on_deck}
"""
ROWS = 160
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Post = Callable[[FlaskClient, pd.DataFrame], TestResponse]


def gaps(values: Sequence[Any], every: int) -> list[Any]:
    """Return values of which some are missing."""
    return [None if row % every == 3 else value for row, value in enumerate(values)]


def expected_table() -> pa.Table:
    """Return what features() is to see of each row, whatever the form."""
    rows, random = range(ROWS), np.random.default_rng(5)
    signed = [dt.date(2024, 1, 1) + dt.timedelta(days=row % 90) for row in rows]
    noon = dt.datetime.fromisoformat("2024-06-01T12:30")
    joined = [noon + dt.timedelta(hours=7 * row) for row in rows]
    columns: dict[str, tuple[Sequence[Any], pa.DataType]] = {
        "customer_id": ([70_000 + 13 * row for row in rows], pa.int64()),
        "x": (gaps(random.normal(size=ROWS).round(3).tolist(), 11), pa.float64()),
        "visits": (random.integers(0, 30, ROWS).astype(float).tolist(), pa.float64()),
        "signed": (gaps(signed, 9), pa.date32()),
        "joined": (joined, pa.timestamp("us")),
        "fee": (gaps([1000.5 + 3 * (row * 7 % 50) for row in rows], 13), pa.float64()),
        "count": (gaps([row * 5 % 8 for row in rows], 17), pa.int64()),
        "member": (gaps([row % 3 == 0 for row in rows], 19), pa.bool_()),
        "cabin": (gaps([f"{'ABC'[row % 3]}{row % 6}" for row in rows], 10), pa.string()),
        "note": (gaps([f"Straße {row}, 2nd floor" for row in rows], 8), pa.string()),
        "born": ([dt.date(1990, 1, 1) + dt.timedelta(days=31 * row) for row in rows], pa.date32()),
    }
    arrays = {name: pa.array(values, kind) for name, (values, kind) in columns.items()}
    return pa.table(arrays)


EXPECTED = expected_table()
IGNORED = ["signed", "joined", "fee", "count", "member", "note"]


def frame_of(table: pa.Table, *, typed: bool) -> pd.DataFrame:
    """Return rows as people have them: typed as far as their file can be, or as a CSV has them."""
    frame = pd.DataFrame(
        {name: table[name].to_pylist() for name in table.column_names}, dtype=object
    )
    frame["fee"] = [None if fee is None else f"${fee:,.2f}" for fee in frame["fee"]]
    if not typed:
        days = frame["signed"]
        frame["signed"] = [None if day is None else f"{day:%d.%m.%Y}" for day in days]
    return frame


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", frame.where(frame.notna(), None).to_dict("records"))


def _written(write: Callable[..., object]) -> bytes:
    sink = io.BytesIO()
    write(sink, index=False)
    return sink.getvalue()


def _send(client: FlaskClient, body: bytes, kind: str) -> TestResponse:
    return client.post("/predict", data=body, content_type=kind)


def _lines(frame: pd.DataFrame) -> bytes:
    return b"".join(json.dumps(row, default=str).encode() + b"\n" for row in records_of(frame))


FORMS: dict[str, Post] = {
    "CSV": lambda client, frame: _send(client, _written(frame.to_csv), "text/csv"),
    "JSON": lambda client, frame: _send(
        client, json.dumps(records_of(frame), default=str).encode(), "application/json"
    ),
    "JSON Lines": lambda client, frame: _send(client, _lines(frame), "application/x-ndjson"),
    "Parquet": lambda client, frame: _send(
        client, _written(frame.to_parquet), "application/octet-stream"
    ),
    "Excel": lambda client, frame: _send(client, _written(frame.to_excel), EXCEL),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("all-columns")
    frame = frame_of(EXPECTED, typed=False)
    days = [
        (one["joined"].date() - one["signed"]).days if one["signed"] else 0
        for one in EXPECTED.to_pylist()
    ]
    frame["y"] = [3.0 * day + (row % 7) for row, day in enumerate(days)]
    frame.to_csv(folder / "rows.csv", index=False)
    (folder / "mine.py").write_text(MODULE, encoding="utf-8")
    settings = {
        "data.source": folder / "rows.csv",
        "data.target": "y",
        "data.ignore": json.dumps(IGNORED),
        "train.module": folder / "mine.py",
    }
    return train(folder, settings.items())


@pytest.fixture(scope="module", autouse=True)
def seen_in_training(trained: Trained) -> list[pa.Table]:  # noqa: ARG001 — the module executed
    """The tables that features() received in training and testing, before any test asks it anew."""
    return list(execute("code/mine.py", MODULE.encode()).module.SEEN)


@pytest.fixture
def seen(trained: Trained) -> list[pa.Table]:  # noqa: ARG001 — the model opened, and its module executed
    """The tables that features() has received since the test began."""
    tables: list[pa.Table] = execute("code/mine.py", MODULE.encode()).module.SEEN
    tables.clear()
    return tables


def test_training_and_testing_pass_all_columns_without_the_target(
    trained: Trained, seen_in_training: list[pa.Table]
) -> None:
    assert trained.served.manifest.steps == ("dates", "module")
    assert {"days", "paid", "on deck C"} <= set(trained.served.predictor.names)
    by_id = {row["customer_id"]: row for row in EXPECTED.to_pylist()}
    assert max(len(table) for table in seen_in_training) >= ROWS // 2
    samples = [one["values"]["customer_id"] for one in trained.served.manifest.samples]
    ids = set()
    for table in seen_in_training:
        assert table.schema.equals(EXPECTED.schema)
        named = table["customer_id"].to_pylist()
        if named != samples:  # which are made up
            assert table.to_pylist() == [by_id[one] for one in named]
            ids |= {*named}
    assert len(ids) == ROWS


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_a_request_passes_the_same_values_in_every_form(
    trained: Trained, seen: list[pa.Table], form: str, compiled: bool
) -> None:
    frame = frame_of(EXPECTED, typed=form in {"Parquet", "Excel"})
    client = trained.client(compiled=compiled)
    seen.clear()
    answer = FORMS[form](client, frame)
    assert answer.status_code == 200, answer.text
    assert "X-Unseen-Categories" not in answer.headers
    assert pa.concat_tables(seen).equals(EXPECTED)
    scores = [scores_in(row) for row in answer.get_json()]
    assert sorted(scores) == sorted([*trained.train_scores, *trained.test_scores])


def test_a_column_that_a_request_lacks_is_null(trained: Trained, seen: list[pa.Table]) -> None:
    features = [name for name in EXPECTED.column_names if name not in {*IGNORED, "customer_id"}]
    rows = records_of(
        frame_of(EXPECTED.slice(0, 3).select([*features, "fee", "signed"]), typed=False)[features]
    )
    client = trained.client(compiled=False)
    seen.clear()
    answer = client.post("/predict", json=json.loads(json.dumps(rows, default=str)))
    assert answer.status_code == 200, answer.text
    assert seen[-1].schema.equals(EXPECTED.schema)
    for name in EXPECTED.column_names:
        there = name in features
        assert seen[-1][name].null_count == (EXPECTED[name].slice(0, 3).null_count if there else 3)


def test_a_cell_of_another_type_is_null_and_counted(trained: Trained, seen: list[pa.Table]) -> None:
    frame = frame_of(EXPECTED.slice(4, 2), typed=False)
    frame["signed"], frame["count"] = ["soon", "12.01.2024"], ["1.5", "7"]
    for form in ("CSV", "JSON"):
        client = trained.client(compiled=False)
        seen.clear()
        answer = FORMS[form](client, frame)
        assert answer.status_code == 200, answer.text
        assert answer.headers["X-Unseen-Categories"] == "count=1, signed=1"
        assert seen[-1]["signed"].to_pylist() == [None, dt.date(2024, 1, 12)]
        assert seen[-1]["count"].to_pylist() == [None, 7]


def test_a_category_that_training_never_saw_is_passed_as_it_is(
    trained: Trained, seen: list[pa.Table]
) -> None:
    rows = records_of(frame_of(EXPECTED.slice(0, 1), typed=False))
    rows[0]["cabin"] = " C99 "
    answer = trained.client(compiled=False).post(
        "/predict", json=json.loads(json.dumps(rows, default=str))
    )
    assert answer.headers["X-Unseen-Categories"] == "cabin=1"
    assert seen[-1]["cabin"].to_pylist() == ["C99"]


def test_the_target_of_a_request_is_never_passed(trained: Trained, seen: list[pa.Table]) -> None:
    frame = frame_of(EXPECTED.slice(0, 2), typed=False).assign(y=[1.0, 2.0], other="z")
    client = trained.client(compiled=False)
    for post in FORMS.values():
        seen.clear()
        assert post(client, frame).status_code == 200
        assert seen[-1].column_names == EXPECTED.column_names


def test_mlflows_model_passes_the_same_values(trained: Trained, seen: list[pa.Table]) -> None:
    frame = frame_of(EXPECTED, typed=True)
    frame["joined"] = pd.to_datetime(frame["joined"])
    frame["customer_id"] = frame["customer_id"].astype("int64")
    model = trained.row_model()
    seen.clear()
    answers = model.predict(frame)
    assert pa.concat_tables(seen).equals(EXPECTED)
    assert sorted([score] for score in answers["prediction"]) == sorted(
        [*trained.train_scores, *trained.test_scores]
    )


def test_published_samples_hold_no_ignored_column(trained: Trained) -> None:
    stored = trained.served.manifest.samples
    assert set(IGNORED) <= set(stored[0]["values"])
    assert not set(IGNORED) & set(trained.served.samples[0]["values"])
    assert trained.client(compiled=False).get("/sample.csv").status_code == 200


def test_the_model_opens_with_its_stored_samples(trained: Trained) -> None:
    version = newest_approved(models_of(trained.config))
    served = open_version(version)
    assert served.rules.others == served.contract.others
    assert Path(version.folder / "code" / "mine.py").is_file()
