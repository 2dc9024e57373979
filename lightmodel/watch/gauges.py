"""Export the last reports as Prometheus gauges."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lightmodel.config import Config
from lightmodel.watch.drift import DriftReport
from lightmodel.watch.files import last_drift


class WatchCollector(Collector):
    """Reads the stored reports at each scrape; without a report there are no gauges."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges."""
        report = last_drift(self._config)
        if report is not None:
            yield from drift_gauges(report)


def drift_gauges(report: DriftReport) -> Iterator[GaugeMetricFamily]:
    """Yield the gauges of a drift report; without a verdict, only its time and its rows."""
    version = {"version": report.version}
    measured = datetime.fromisoformat(report.created).timestamp()
    yield _gauge("timestamp_seconds", "When drift was measured last", [(version, measured)])
    yield _gauge("rows", "Rows that were compared with training", [(version, report.compared)])
    if report.verdict == "none":
        return
    found = float(report.verdict == "drift")
    yield _gauge("detected", "1 if a column has drifted from training", [(version, found)])
    yield _gauge("columns", "Columns that have drifted", [(version, len(report.drifted))])
    tests = [
        (
            {
                "column": one.column,
                "kind": "score" if one.is_score else "feature",
                "test": one.test,
            },
            one,
        )
        for one in report.tests
    ]
    yield _gauge("effect", "Effect of each test", [(labels, one.effect) for labels, one in tests])
    yield _gauge(
        "p_value",
        "p-value of each test, adjusted for their number",
        [(labels, one.p_value) for labels, one in tests],
    )


def _gauge(name: str, text: str, samples: list[tuple[dict[str, str], float]]) -> GaugeMetricFamily:
    names = list(samples[0][0]) if samples else []
    family = GaugeMetricFamily(f"lightmodel_drift_{name}", text, labels=names)
    for labels, value in samples:
        family.add_metric(list(labels.values()), value)
    return family
