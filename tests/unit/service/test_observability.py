"""Request ids, access log, headers and metrics."""

import json
import logging
from collections.abc import Iterable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lightmodel.scoring.predictor import Answers, LoadedModel
from lightmodel.service.observability import JsonFormatter, Metrics, configure_logging, init_app
from lightmodel.tables.blocks import ValidationReport


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def client(metrics: Metrics) -> FlaskClient:
    app = Flask(__name__)
    init_app(app, metrics)

    @app.get("/rows/<int:number>")
    def rows(number: int) -> str:
        g.rows, g.version = number, "v1"
        return "rows"

    @app.get("/fails")
    def fails() -> tuple[str, int]:
        g.error = "DataError"
        return "no", 422

    return app.test_client()


def samples_of(metrics: Metrics) -> dict[str, float]:
    lines = [line for line in metrics.page().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.parametrize("given", ["mine-1", "A.b_c", "x" * 128])
def test_a_clients_request_id_is_returned(client: FlaskClient, given: str) -> None:
    assert client.get("/rows/1", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\u00e4", "<script>"])
def test_an_invalid_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    answered = client.get("/rows/1", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert answered != given
    assert len(answered) == 24


def test_unknown_methods_share_one_label(client: FlaskClient, metrics: Metrics) -> None:
    for method in ("BREW", "X1", "X2"):
        client.open("/rows/1", method=method)
    names = [name for name in samples_of(metrics) if name.startswith("lightmodel_requests_total")]
    assert len(names) == 1
    assert 'method="other"' in names[0]


def test_every_response_has_the_security_headers(client: FlaskClient) -> None:
    for path in ("/rows/1", "/fails", "/nowhere"):
        answer = client.get(path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


def test_requests_are_counted_by_route_and_not_by_path(
    client: FlaskClient, metrics: Metrics
) -> None:
    for path in ("/rows/1", "/rows/2", "/fails", "/nowhere", "/elsewhere"):
        client.get(path)
    samples = samples_of(metrics)
    count = "lightmodel_requests_total"
    assert samples[f'{count}{{method="GET",route="/rows/<int:number>",status="200"}}'] == 2
    assert samples[f'{count}{{method="GET",route="other",status="404"}}'] == 2
    assert samples['lightmodel_errors_total{kind="DataError"}'] == 1
    assert samples['lightmodel_request_seconds_count{route="/fails"}'] == 1


def test_the_log_line_of_a_request_has_its_details_as_fields(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.get("/rows/7")
    (record,) = [one for one in caplog.records if one.name == "lightmodel.access"]
    line = json.loads(JsonFormatter().format(record))
    assert line["message"] == "GET /rows/7 200"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/rows/7", 200)
    assert (line["rows"], line["version"], line["level"]) == (7, "v1", "info")
    assert line["ms"] >= 0


def test_a_traceback_is_a_field_of_the_log_line() -> None:
    error = ValueError("two\nlines")
    about = (ValueError, error, None)
    record = logging.LogRecord("a", logging.ERROR, "", 1, "odd %s", ("one",), about)
    text = JsonFormatter().format(record)
    assert "\n" not in text
    assert "ValueError: two\nlines" in json.loads(text)["traceback"]


def test_scores_are_counted_in_20_bins(metrics: Metrics) -> None:
    for scores in ([0.0, 0.04, 0.06, 0.99, 1.0], [0.0], [1.0], [0.5]):
        answers = Answers(None, [0] * len(scores), np.array(scores), label_names=("0", "1"))
        metrics.count_answers(ValidationReport(), [answers])
    samples = samples_of(metrics)
    counts = {
        f"{upto:.2f}": samples.get(f'lightmodel_scores_total{{upto="{upto:.2f}"}}', 0)
        for upto in (0.05, 0.1, 0.55, 1.0)
    }
    assert counts == {"0.05": 3, "0.10": 1, "0.55": 1, "1.00": 3}


def test_a_worker_is_ready_while_it_has_a_model(metrics: Metrics) -> None:
    model = cast("LoadedModel", SimpleNamespace(version="v1"))
    for current, ready in ((None, 0), (model, 1), (model, 1), (None, 0)):
        metrics.change_model(current)
        assert samples_of(metrics)["lightmodel_model_ready"] == ready
    assert samples_of(metrics)["lightmodel_model_swaps_total"] == 2


def test_no_row_was_dropped_before_the_first_is(metrics: Metrics) -> None:
    assert samples_of(metrics)['lightmodel_log_rows_total{what="dropped"}'] == 0
    metrics.count_log("dropped", 3)
    assert samples_of(metrics)['lightmodel_log_rows_total{what="dropped"}'] == 3


def test_what_is_read_at_a_scrape_is_read_anew(metrics: Metrics) -> None:
    numbers = iter((1, 2))

    class Numbers(Collector):
        def collect(self) -> Iterable[Metric]:
            yield GaugeMetricFamily("number", "The next one", next(numbers))

    metrics.read_at_scrape(Numbers())
    assert [samples_of(metrics)["number"] for _ in range(2)] == [1, 2]


def test_the_log_is_json_on_stderr_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    configure_logging("auto")
    logging.getLogger("lightmodel").info("up")
    configure_logging("text")
    logging.getLogger("lightmodel").info("up again")
    logging.captureWarnings(capture=False)
    first, second = capsys.readouterr().err.splitlines()
    assert json.loads(first)["message"] == "up"
    assert second.endswith("INFO up again")
