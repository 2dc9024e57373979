"""`GET /metrics`: what Prometheus reads, summed over all workers.

gunicorn's settings name the folder where workers share their numbers, in PROMETHEUS_MULTIPROC_DIR,
before this module is imported. Without it the numbers are those of this process.
"""

import time
from collections.abc import Callable
from datetime import datetime

import numpy as np
from flask import Blueprint, Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MultiProcessValue, ValueClass

from lightmodel.contract.arrays import Scores
from lightmodel.scoring.loaded_model import Served

_EDGES = np.linspace(0, 1, 21)
_UPTO = tuple(f"{edge:.2f}" for edge in _EDGES[1:])
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counts what happens; every method is cheap, and may be called from any thread."""

    def __init__(self, spooled_bytes: Callable[[], int]) -> None:
        self._spooled_bytes = spooled_bytes
        self._own = CollectorRegistry()
        self._version = ""
        self.requests = self._counter("requests", "Answers", "route", "method", "status")
        self.seconds = Histogram(
            "lightmodel_request_seconds",
            "Time until the answer stood",
            ("route",),
            buckets=_SECONDS,
            registry=self._own,
        )
        self.errors = self._counter("errors", "Errors by kind", "kind")
        self._rows = self._counter("rows", "Rows answered")
        self._unseen = self._counter("unseen_categories", "Cells that training never saw")
        text = "Probabilities of the positive class, by twentieths: above the one before, up to"
        self._scores = self._counter("scores", text, "upto")
        self._logged = self._counter("log_rows", "Rows logged, spooled and dropped", "what")
        self._waiting = self._gauge("log_waiting_bytes", "Spooled, and not yet in the sink")
        self._model = self._gauge("model_info", "1 for the version that answers", "version")
        self._made = self._gauge("model_created_timestamp_seconds", "When that version was made")
        self._swaps = self._counter("model_swaps", "Models taken up")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"lightmodel_{name}", text, labels, registry=self._own)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(
            f"lightmodel_{name}", text, labels, registry=self._own, multiprocess_mode="mostrecent"
        )

    def count_rows(self, rows: int, unseen: int) -> None:
        """Count the rows of an answer, and cells with a category that training never saw."""
        self._rows.inc(rows)
        if unseen:
            self._unseen.inc(unseen)

    def count_scores(self, scores: Scores) -> None:
        """Count (rows,) probabilities by their size; classes and numbers are not counted."""
        if len(scores) == 1:
            at = min(int(scores[0] * len(_UPTO)), len(_UPTO) - 1)
            self._scores.labels(_UPTO[at]).inc()
            return
        for upto, count in zip(_UPTO, np.histogram(scores, _EDGES)[0].tolist(), strict=True):
            if count:
                self._scores.labels(upto).inc(count)

    def count_log(self, what: str, rows: int) -> None:
        """Count rows that were "logged", "spooled" or "dropped"."""
        self._logged.labels(what).inc(rows)

    def show_model(self, served: Served) -> None:
        """Show which version answers from now on."""
        if self._version:
            self._model.labels(self._version).set(0)
        self._version = served.version
        self._model.labels(served.version).set(1)
        self._made.set(datetime.fromisoformat(served.manifest.created).timestamp())
        self._swaps.inc()

    def page(self) -> bytes:
        """Give everything in Prometheus' text format."""
        self._waiting.set(self._spooled_bytes())
        if ValueClass is MultiProcessValue:
            return generate_latest(self._own)
        every = CollectorRegistry()
        MultiProcessCollector(every)  # type: ignore[no-untyped-call]
        return generate_latest(every)


def init_app(app: Flask, metrics: Metrics) -> None:
    """Count every answer of `app`, and give the route."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    def page() -> Response:
        return Response(metrics.page(), content_type=CONTENT_TYPE_LATEST)

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "(none)"
        metrics.requests.labels(route, request.method, response.status_code).inc()
        metrics.seconds.labels(route).observe(time.perf_counter() - g.started)
        if "error" in g:
            metrics.errors.labels(g.error).inc()
        return response

    app.register_blueprint(routes)
