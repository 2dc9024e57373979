"""One look at the service's metrics: its counters, and its gauges as they are."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

_PREFIX = "lightmodel_"
_SCORING = {"/predict", "/invocations"}
_ERRORS_FROM = 400


@dataclass(frozen=True)
class Quality:
    """The gate's metric in service: its value with the ends of its interval, "measured" or "estimated"."""

    metric: str
    kind: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Snapshot:
    """The counters of one moment, since the service started.

    Attributes:
        time: seconds since 1970.
        requests: answered requests that score rows.
        failures: those among them with an error.
        rows: answered rows.
        seconds: upper edge → number of scoring requests that took no longer.
        scores: upper edge of a bin → number of probabilities in it.
        unseen: cells with an unseen category.
        missing, out_of_range: number of cells by column.
    """

    time: float
    requests: float = 0.0
    failures: float = 0.0
    rows: float = 0.0
    seconds: Mapping[float, float] = field(default_factory=dict)
    scores: Mapping[float, float] = field(default_factory=dict)
    unseen: float = 0.0
    missing: Mapping[str, float] = field(default_factory=dict)
    out_of_range: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """What the gauges say now.

    Attributes:
        version: the served version; "" without one.
        quality: measured and estimated live quality, where it was measured.
        bound: the worst value of the metric that is good enough.
        labels: number of labelled rows.
        measured: when quality was measured.
        drift: the number of drifted columns; None if there is no verdict.
        drift_measured: when drift was measured.
        dropped: number of rows that the prediction log has lost.
    """

    version: str = ""
    quality: tuple[Quality, ...] = ()
    bound: float | None = None
    labels: float = 0.0
    measured: datetime | None = None
    drift: float | None = None
    drift_measured: datetime | None = None
    dropped: float = 0.0


def read_metrics(text: str, time: float) -> tuple[Snapshot, State]:
    """Return what a page of metrics says.

    Raises:
        ValueError: it is no such page.
    """
    samples: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name.removeprefix(_PREFIX), []).append(sample)
    return _snapshot(samples, time), _state(samples)


def _snapshot(samples: Mapping[str, list[Sample]], time: float) -> Snapshot:
    scoring = [one for one in samples.get("requests_total", ()) if one.labels["route"] in _SCORING]
    buckets = [
        one for one in samples.get("request_seconds_bucket", ()) if one.labels["route"] in _SCORING
    ]
    return Snapshot(
        time,
        requests=sum(one.value for one in scoring),
        failures=sum(one.value for one in scoring if int(one.labels["status"]) >= _ERRORS_FROM),
        rows=_total(samples, "rows_total"),
        seconds=_by_edge(buckets, "le"),
        scores=_by_edge(samples.get("scores_total", ()), "upto"),
        unseen=_total(samples, "unseen_categories_total"),
        missing=_by_column(samples.get("missing_values_total", ())),
        out_of_range=_by_column(samples.get("out_of_range_total", ())),
    )


def _state(samples: Mapping[str, list[Sample]]) -> State:
    version = next(
        (one.labels["version"] for one in samples.get("model_info", ()) if one.value), ""
    )
    lost = [one for one in samples.get("log_rows_total", ()) if one.labels["what"] == "dropped"]
    return State(
        version,
        tuple(_quality(samples)),
        bound=_first(samples, "quality_bound"),
        labels=_first(samples, "quality_labels") or 0.0,
        measured=_moment(_first(samples, "quality_timestamp_seconds")),
        drift=_first(samples, "drift_columns"),
        drift_measured=_moment(_first(samples, "drift_timestamp_seconds")),
        dropped=sum(one.value for one in lost),
    )


def _quality(samples: Mapping[str, list[Sample]]) -> Iterator[Quality]:
    ends: dict[tuple[str, str], dict[str, float]] = {}
    for end in ("value", "low", "high"):
        for one in samples.get(f"quality_{end}", ()):
            ends.setdefault((one.labels["metric"], one.labels["kind"]), {})[end] = one.value
    for (metric, kind), found in ends.items():
        if "value" in found:
            value = found["value"]
            yield Quality(metric, kind, value, found.get("low", value), found.get("high", value))


def _total(samples: Mapping[str, list[Sample]], name: str) -> float:
    return sum(one.value for one in samples.get(name, ()))


def _first(samples: Mapping[str, list[Sample]], name: str) -> float | None:
    return next((one.value for one in samples.get(name, ())), None)


def _by_edge(samples: Iterable[Sample], label: str) -> dict[float, float]:
    counts: dict[float, float] = {}
    for one in samples:
        edge = float(one.labels[label])
        counts[edge] = counts.get(edge, 0.0) + one.value
    return dict(sorted(counts.items()))


def _by_column(samples: Iterable[Sample]) -> dict[str, float]:
    return {one.labels["column"]: one.value for one in samples}


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
