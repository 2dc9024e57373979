"""Export the last reports as Prometheus gauges."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lightmodel.config import Config
from lightmodel.watch.drift import DriftReport
from lightmodel.watch.files import last_drift, last_quality
from lightmodel.watch.quality import VersionQuality


class WatchCollector(Collector):
    """Reads the stored reports at each scrape; without a report there are no gauges."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges."""
        report, quality = last_drift(self._config), last_quality(self._config)
        if report is not None:
            yield from drift_gauges(report)
        if quality is not None and quality.served is not None:
            yield from quality_gauges(quality.created, quality.served)


def drift_gauges(report: DriftReport) -> Iterator[GaugeMetricFamily]:
    """Yield the gauges of a drift report; without a verdict, only its time and its rows."""
    version = {"version": report.version}
    yield _gauge(
        "drift_timestamp_seconds", "When drift was measured", [(version, _time(report.created))]
    )
    yield _gauge("drift_rows", "Rows compared with training", [(version, report.compared)])
    if report.verdict == "none":
        return
    found = float(report.verdict == "drift")
    yield _gauge("drift_detected", "1 if a column has drifted from training", [(version, found)])
    yield _gauge("drift_columns", "Columns that have drifted", [(version, len(report.drifted))])
    tests = [
        (
            {
                **version,
                "column": one.column,
                "kind": "score" if one.is_score else "feature",
                "test": one.test,
            },
            one,
        )
        for one in report.tests
    ]
    effects = [(labels, one.effect) for labels, one in tests]
    yield _gauge("drift_effect", "Effect of each test", effects)
    yield _gauge(
        "drift_p_value",
        "p-value of each test, adjusted for their number",
        [(labels, one.p_value) for labels, one in tests],
    )


def quality_gauges(created: str, served: VersionQuality) -> Iterator[GaugeMetricFamily]:
    """Yield the gauges of the served version's live quality; what is not known is left out."""
    version = {"version": served.version}
    named = {**version, "metric": served.metric}
    yield _gauge(
        "quality_timestamp_seconds", "When quality was measured", [(version, _time(created))]
    )
    yield _gauge("quality_labels", "Labelled rows of the version", [(version, served.labelled)])
    kinds = {"measured": served.recent, "estimated": served.estimated}
    known = {kind: one for kind, one in kinds.items() if one is not None}
    for end, text in (
        (
            "value",
            "The gate's metric on the last labelled rows, and its estimate before labels arrive",
        ),
        ("low", "Lower end of its 95 % interval"),
        ("high", "Upper end of its 95 % interval"),
    ):
        samples = [({**named, "kind": kind}, getattr(one, end)) for kind, one in known.items()]
        yield _gauge(f"quality_{end}", text, samples)
    if served.bound is not None:
        yield _gauge("quality_bound", "Worst value that is good enough", [(named, served.bound)])
    if served.state != "none":
        below = float(served.state == "below")
        yield _gauge("quality_below", "1 if measured quality is surely below", [(named, below)])


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _gauge(name: str, text: str, samples: list[tuple[dict[str, str], float]]) -> GaugeMetricFamily:
    names = list(samples[0][0]) if samples else []
    family = GaugeMetricFamily(f"lightmodel_{name}", text, labels=names)
    for labels, value in samples:
        family.add_metric(list(labels.values()), value)
    return family
