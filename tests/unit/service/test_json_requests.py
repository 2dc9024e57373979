"""Small JSON requests are answered as by Flask's route, or left to it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightmodel.config import load
from lightmodel.scoring.predictor import Predictor
from lightmodel.service import create_app
from lightmodel.service.json_requests import JsonRequests, JsonResponse
from tests.fakes.project import Project
from tests.fakes.tables import shop_table
from tests.serve.conftest import trained_shop

__all__ = ["trained_shop"]

RECORDS: list[dict[str, Any]] = shop_table(rows=30, seed=5).drop_columns(["bought"]).to_pylist()
CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([1])
)


def app_of(folder: Path, *sets: str, **environ: str) -> Flask:
    more = [f"store.root={folder}", "log.sink=none", *sets]
    return create_app(load(folder / "config.toml", more, environ).config)


@pytest.fixture(scope="module")
def app(trained_shop: Project) -> Flask:
    made = app_of(trained_shop.folder)
    made.extensions["model_manager"].require()
    return made


@pytest.fixture(scope="module")
def client(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as opened:
        yield opened


def direct(app: Flask, body: bytes, query: bytes = b"", **headers: str) -> JsonResponse | None:
    """Answer a request as the event loop does; None means that it is left to Flask."""
    requests: JsonRequests = app.extensions["json_requests"]
    sent = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    lines = {name.replace("_", "-").encode(): value.encode() for name, value in sent.items()}
    scope = {
        "path": "/predict",
        "method": "POST",
        "query_string": query,
        "headers": list(lines.items()),
        "client": ("127.0.0.1", 1),
    }
    return requests.answer(scope, lines, body) if requests.accepts(scope, lines) else None


def test_records_are_answered_as_by_the_route(app: Flask, client: FlaskClient) -> None:
    for content in (RECORDS[0], RECORDS, {"dataframe_records": RECORDS[:3]}):
        body = json.dumps(content).encode()
        response = direct(app, body)
        assert response is not None
        assert json.loads(response.body) == client.post("/predict", json=content).json


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    record=st.dictionaries(st.sampled_from([*RECORDS[0], "more"]), CELLS),
    base=st.sampled_from(RECORDS),
)
def test_any_record_gets_the_routes_answer_or_is_left_to_it(
    app: Flask, client: FlaskClient, record: dict[str, Any], base: dict[str, Any]
) -> None:
    body = json.dumps({**base, **record}).encode()
    by_route = client.post("/predict", data=body, content_type="application/json")
    response = direct(app, body)
    assert (response is not None) == (by_route.status_code == 200)
    if response is not None:
        assert response.body == by_route.data
        headers = {name.decode(): value.decode() for name, value in response.headers}
        for name in ("x-model-version", "x-ignored-columns", "x-unseen-categories"):
            assert headers.get(name) == by_route.headers.get(name)


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/csv"},
        {"content_type": "application/json; charset=latin-1"},
        {"content_encoding": "gzip"},
        {"accept": "text/csv"},
        {"content_length": "70000"},
        {"content_length": "-1"},
    ],
    ids=str,
)
def test_other_requests_are_left_to_the_route(app: Flask, headers: dict[str, str]) -> None:
    body = json.dumps(RECORDS[0]).encode()
    assert direct(app, body) is not None
    assert direct(app, body, b"", **headers) is None


def test_a_request_with_options_is_left_to_the_route(app: Flask) -> None:
    assert direct(app, json.dumps(RECORDS[0]).encode(), b"explain=2") is None


def test_no_model_is_an_answer_of_the_route(tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    assert direct(app_of(tmp_path), json.dumps(RECORDS[0]).encode()) is None


def test_a_fault_while_scoring_is_left_to_the_route(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("from the user's own code")

    monkeypatch.setattr(Predictor, "answer", fail)
    assert direct(app, json.dumps(RECORDS[0]).encode()) is None
    assert client.post("/predict", json=RECORDS[0]).status_code == 500


@pytest.mark.usefixtures("no_time_passes")
def test_keys_and_limits_hold(trained_shop: Project) -> None:
    body = json.dumps(RECORDS[0]).encode()
    keys = {"LIGHTMODEL__SERVE__API_KEYS": "me:secret"}
    guarded = app_of(trained_shop.folder, "serve.rate_limit=2", **keys)
    guarded.extensions["model_manager"].require()
    assert direct(guarded, body) is None
    assert direct(guarded, body, x_api_key="wrong") is None
    answers = [
        direct(guarded, body, x_api_key="secret"),
        direct(guarded, body, authorization="Bearer secret"),
    ]
    assert None not in answers
    assert direct(guarded, b"{}", x_api_key="secret") is None  # and not counted here
    assert direct(guarded, body, x_api_key="secret") is None  # the third within a second
