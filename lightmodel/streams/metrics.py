"""Prometheus metrics of the consumer."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from lightmodel.config import Config
from lightmodel.errors import ConfigError
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.streams.base import Record
from lightmodel.streams.processing import Outcome

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class StreamMetrics:
    """Counts what the consumer does."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._records = self._counter("stream_records", "Records processed")
        self._rows = self._counter("stream_rows", "Rows by outcome", "outcome")
        for outcome in ("answered", "rejected", "repeated"):
            self._rows.labels(outcome)
        self._logged = self._counter("log_rows", "Rows logged, spooled and dropped", "what")
        self._seconds = Histogram(
            "lightmodel_stream_batch_seconds",
            "Seconds until a batch was scored and written",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._lag = Gauge(
            "lightmodel_stream_lag_seconds",
            "Seconds from the arrival of the last processed record in its stream until it was processed",
            registry=self.registry,
        )
        self._model = Gauge(
            "lightmodel_model_info",
            "1 for the served version",
            ("version",),
            registry=self.registry,
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"lightmodel_{name}", text, labels, registry=self.registry)

    def count(self, records: Sequence[Record], outcome: Outcome) -> None:
        """Count a processed batch."""
        self._records.inc(len(records))
        self._rows.labels("answered").inc(len(outcome.answers))
        self._rows.labels("rejected").inc(len(outcome.rejected))
        self._rows.labels("repeated").inc(outcome.repeated)
        self._seconds.observe(outcome.seconds)
        if (arrived := records[-1].arrived) is not None:
            self._lag.set(max(0.0, time.time() - arrived))

    def count_log(self, what: str, rows: int) -> None:
        """Count rows that were "logged", "spooled" or "dropped"."""
        self._logged.labels(what).inc(rows)

    def change_model(self, model: LoadedModel | None) -> None:
        """Record that this version scores from now on, or none."""
        self._model.clear()
        if model is not None:
            self._model.labels(model.version).set(1)


@contextmanager
def serve_metrics(metrics: StreamMetrics, config: Config) -> Iterator[None]:
    """Answer GET /metrics on streams.metrics_port meanwhile.

    Raises:
        ConfigError: the port is in use.
    """
    port = config.streams.metrics_port
    try:
        server, thread = start_http_server(port, config.serve.host, metrics.registry)
    except OSError as error:
        raise ConfigError(
            f"the metrics cannot be served on port {port}: {error.strerror or error}",
            hint="set another streams.metrics_port",
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
