"""Request ids, headers of every response, access log, and `GET /metrics`.

gunicorn's settings set PROMETHEUS_MULTIPROC_DIR, the folder in which workers share their metrics,
before this module is imported. Without it the metrics are those of this process.
"""

import logging
import random
import re
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import orjson
from flask import Flask, Response, g, has_request_context, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.values import MutexValue, ValueClass

from lightmodel.contract.cells import Scores
from lightmodel.scoring.predictor import Answers, LoadedModel
from lightmodel.tables.blocks import ValidationReport

logger = logging.getLogger("lightmodel.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_CHILDREN = 256
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}  # labels must be few
_FIELDS = ("request_id", "method", "path", "status", "ms", "rows", "version", "error")
_SCORE_EDGES = np.linspace(0, 1, 21)
_SCORE_LABELS = tuple(f"{edge:.2f}" for edge in _SCORE_EDGES[1:])
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Metrics:
    """The Prometheus metrics of the service; methods are fast, and safe to call from any thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._read_at_scrape = CollectorRegistry()
        # Looking them up takes longer than counting.
        self._children = lru_cache(_CHILDREN)(self._labelled)
        self.requests = self._counter("requests", "Requests answered", "route", "method", "status")
        self.seconds = Histogram(
            "lightmodel_request_seconds",
            "Seconds until the response was ready",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.errors = self._counter("errors", "Errors by kind", "kind")
        self._rows = self._counter("rows", "Rows answered")
        self._unseen = self._counter("unseen_categories", "Cells with an unseen category")
        self._warnings = {
            "missing": self._counter(
                "missing_values", "Missing values in columns that had none in training", "column"
            ),
            "range": self._counter("out_of_range", "Numbers beyond the allowed range", "column"),
        }
        text = "Probabilities of the positive class in 20 bins, by the upper edge of the bin"
        self._scores = self._counter("scores", text, "upto")
        self._logged = self._counter("log_rows", "Rows logged, spooled and dropped", "what")
        for what in ("logged", "spooled", "dropped"):
            self._logged.labels(what)  # or the first rows would be no increase, and raise no alert
        self._ready = Gauge(
            "lightmodel_model_ready",
            "1 if every worker has an approved model, 0 if one has none",
            registry=self._registry,
            multiprocess_mode="livemin",
        )
        self._seconds = {
            role: self._gauge(f"{role}_info", text, "version")
            for role, text in (
                ("challenger", "1 for the loaded challenger, 0 for one that cannot be loaded"),
                ("canary", "1 for the loaded canary, 0 for one that cannot be loaded"),
            )
        }
        self._shadow_rows = self._counter(
            "shadow_rows", "Answered rows scored by a challenger, shed, skipped or failed", "result"
        )
        self._canary_rows = self._counter("canary_rows", "Rows that a canary answered", "result")
        self._swaps = self._counter("model_swaps", "Model versions loaded")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"lightmodel_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(
            f"lightmodel_{name}",
            text,
            labels,
            registry=self._registry,
            multiprocess_mode="livemostrecent",
        )

    def read_at_scrape(self, collector: Collector) -> None:
        """Add metrics that are read anew for each page, by the worker that answers."""
        self._read_at_scrape.register(collector)

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        requests, histogram = self._children(route, method, status)
        requests.inc()
        histogram.observe(seconds)

    def _labelled(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        """Return the counter and the histogram of requests with these labels."""
        method = method if method in _METHODS else "other"
        return self.requests.labels(route, method, status), self.seconds.labels(route)

    def count_answers(self, findings: ValidationReport, answered: Sequence[Answers]) -> None:
        """Count answered rows, their scores, and their cells of which the response's headers warn."""
        self._rows.inc(findings.scored)
        if unseen := findings.unseen.total():
            self._unseen.inc(unseen)
        if findings.missing or findings.out_of_range:
            self._count_warnings(findings)
        for answers in answered:
            if answers.is_binary:
                self._count_scores(answers.scores)

    def _count_warnings(self, findings: ValidationReport) -> None:
        for rule, found in (("missing", findings.missing), ("range", findings.out_of_range)):
            for column, count in found.items():  # columns of the contract, so there are few labels
                self._warnings[rule].labels(column).inc(count)

    def _count_scores(self, scores: Scores) -> None:
        """Count probabilities of the positive class, shape (rows,), in 20 bins."""
        if len(scores) == 1:
            at = min(int(scores[0] * len(_SCORE_LABELS)), len(_SCORE_LABELS) - 1)
            self._scores.labels(_SCORE_LABELS[at]).inc()
            return
        counts = np.histogram(scores, _SCORE_EDGES)[0].tolist()
        for label, count in zip(_SCORE_LABELS, counts, strict=True):
            if count:
                self._scores.labels(label).inc(count)

    def count_log(self, what: str, rows: int) -> None:
        """Count rows that were "logged", "spooled" or "dropped"."""
        self._logged.labels(what).inc(rows)

    def change_model(self, model: LoadedModel | None) -> None:
        """Record that this worker serves a model from now on, or none."""
        self._ready.set(model is not None)
        if model is not None:
            self._swaps.inc()

    def count_shadow(self, result: str, rows: int) -> None:
        """Count rows of a challenger that were "scored", "shed", "skipped" or "failed"."""
        self._shadow_rows.labels(result).inc(rows)

    def count_canary(self, result: str, rows: int) -> None:
        """Count rows that a canary "answered", or that it "failed" to score."""
        self._canary_rows.labels(result).inc(rows)

    def show_second(self, role: str, version: str, loaded: bool) -> None:
        """Record whether a "challenger" or "canary" is loaded."""
        self._seconds[role].labels(version).set(loaded)

    def page(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return self._own() + generate_latest(self._read_at_scrape)

    def _own(self) -> bytes:
        if ValueClass is MutexValue:
            return generate_latest(self._registry)
        merged = CollectorRegistry()
        MultiProcessCollector(merged)  # type: ignore[no-untyped-call]
        return generate_latest(merged)


def init_app(app: Flask, metrics: Metrics) -> None:
    """Measure and log every request of `app`, and add the route /metrics."""

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        g.request_id = request_id_of(request.headers.get("X-Request-ID", ""))

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        route = request.url_rule.rule if request.url_rule else "other"
        metrics.count_request(route, request.method, response.status_code, seconds)
        if "error" in g:
            metrics.errors.labels(g.error).inc()
        more = {name: g.get(name) for name in ("rows", "version", "error") if name in g}
        log_request(request.method, request.path, response.status_code, seconds, more)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-ID"] = g.request_id
        return response

    @app.get("/metrics")
    def metrics_page() -> Response:
        return Response(metrics.page(), content_type=CONTENT_TYPE_LATEST)


def log_request(
    method: str, path: str, status: int, seconds: float, more: Mapping[str, object]
) -> None:
    """Write a line about an answered request into the log; `more` holds further fields of the line."""
    fields = {
        "method": method,
        "path": path,
        "status": status,
        "ms": round(seconds * 1e3, 2),
        **more,
    }
    logger.info("%(method)s %(path)s %(status)d", fields, extra=fields)


def request_id_of(sent: str) -> str:
    """Return the id that a client has sent, or a new one if that is none."""
    return sent if _REQUEST_ID.fullmatch(sent) else new_id()


def new_id() -> str:
    """Return a new id of 24 hexadecimal digits; gunicorn seeds each worker's generator differently."""
    return f"{random.getrandbits(96):024x}"


class JsonFormatter(logging.Formatter):
    """Formats a log record as one line of JSON with its request id; a traceback is a field."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context() and "request_id" in g:
            line["request_id"] = g.request_id
        line.update({name: getattr(record, name) for name in _FIELDS if hasattr(record, name)})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure_logging(form: str) -> None:
    """Write this process's log to stderr as "json" or "text"; "auto" is text on a terminal."""
    # Nobody prints what these find out for each record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    is_plain = form == "text" or (form == "auto" and sys.stderr.isatty())
    plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(plain if is_plain else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("gunicorn.error", "gunicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.captureWarnings(capture=True)
