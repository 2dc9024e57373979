"""Live quality: how well each model version predicts in service, by labels that arrive later.

Measured quality comes from labels; estimated quality, of calibrated classifiers, from probabilities alone.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import orjson

from lightmodel.config import Config
from lightmodel.contract.columns import Contract
from lightmodel.contract.results import Interval
from lightmodel.contract.task import METRICS, Metric, Task, gate_metric, label_name
from lightmodel.errors import LightModelError
from lightmodel.predictions.base import Sink, utc_text
from lightmodel.predictions.factory import open_sink
from lightmodel.predictions.feedback import newest_contract
from lightmodel.store.canary import served_versions
from lightmodel.store.verdict import StoredVerdict, read_verdict
from lightmodel.store.versions import Store, Version, models_of
from lightmodel.watch.estimate import MAX_ROWS, estimate
from lightmodel.watch.labelled import LabelledRows, labelled_rows, recent_rows
from lightmodel.watch.times import Time

State = Literal["ok", "unsure", "below", "none"]
Period = Literal["day", "week", "month"]


@dataclass(frozen=True)
class PeriodQuality:
    """The gate's metric on the labelled rows of a period.

    Attributes:
        start: first day of the period, in ISO format.
        rows: number of labelled rows that were answered in it.
    """

    start: str
    rows: int
    value: Interval


@dataclass(frozen=True)
class VersionQuality:
    """How well one model version predicts in service.

    Attributes:
        version: its name.
        is_served: whether it answers now; of two, the one that is no canary.
        rows: number of rows that it answered.
        labelled: number of ids among them whose label is known.
        metrics: over all those ids; empty if there are none.
        metric: name of the gate's metric, to which all below belongs.
        recent_rows: number of the last labelled rows, by which the version is judged.
        recent: measured on them; None if there are none.
        estimated: before labels arrive, on the rows answered lately; None unless it is calibrated.
        estimated_rows: number of those rows.
        bound: the worst value that is good enough; None if the version was not tested.
        state: "below" if even the better end of `recent` is worse than the bound, "ok" if not even the
            worse end is, "unsure" between, and "none" with too few labels or without a bound.
        periods: oldest first.
    """

    version: str
    is_served: bool
    rows: int
    labelled: int
    metrics: Mapping[str, float]
    metric: str
    recent_rows: int
    recent: Interval | None
    estimated: Interval | None
    estimated_rows: int
    bound: float | None
    state: State
    periods: tuple[PeriodQuality, ...]


@dataclass(frozen=True)
class LiveQuality:
    """The live quality of all versions that answered, oldest version first; `created` in ISO format."""

    created: Time
    versions: tuple[VersionQuality, ...]

    @property
    def served(self) -> VersionQuality | None:
        """The version that answers now; None if it has not answered yet."""
        return next((one for one in self.versions if one.is_served), None)

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "LiveQuality":
        """Return what `to_dict` returned, also after JSON, which has no NaN.

        Raises:
            KeyError, TypeError: it is no such dict.
        """
        return cls(content["created"], tuple(map(_version_of, content["versions"])))


def _version_of(content: Mapping[str, Any]) -> VersionQuality:
    fields = {name: content[name] for name in VersionQuality.__dataclass_fields__}
    metrics = fields["metrics"].items()
    fields["metrics"] = {name: np.nan if value is None else value for name, value in metrics}
    for name in ("recent", "estimated"):
        fields[name] = None if fields[name] is None else _interval_of(fields[name])
    fields["periods"] = tuple(
        PeriodQuality(**{**one, "value": _interval_of(one["value"])}) for one in fields["periods"]
    )
    return VersionQuality(**fields)


def _interval_of(content: Mapping[str, float | None]) -> Interval:
    return Interval(**{name: np.nan if one is None else one for name, one in content.items()})


def live_quality(
    config: Config, period: Period = "week", now: datetime | None = None
) -> LiveQuality:
    """Measure each model version on the labels stored so far.

    Args:
        config: the settings; `watch` sets window, minimum and bound.
        period: by which `VersionQuality.periods` are cut.
        now: None for the current time.

    Raises:
        ArtefactMissing: there is no approved model, whose contract defines the labels.
        ConfigError: the prediction log is off.
        LightModelError: the log cannot be used (see `Sink`).
    """
    now = now or datetime.now(UTC)
    models = models_of(config)
    served = served_versions(models, config.serve.canary).stable.name
    newest = newest_contract(config)
    versions = {version.name: version for version in models.versions()}
    with closing(open_sink(config)) as sink:
        judge = _Judge(config, sink, now, period)
        qualities = []
        for name, rows in sink.answered().items():
            verdict = _verdict(versions.get(name), models)
            tested = _tested(name, versions.get(name), verdict, newest)
            qualities.append(judge.judge(tested, rows, is_served=name == served))
    return LiveQuality(now.isoformat(timespec="seconds"), tuple(qualities))


@dataclass(frozen=True)
class _Tested:
    """What is known of a version that has answered.

    Attributes:
        metric: that of its gate, or the task's default.
        value: of this metric in testing, where all rows count the same; None if it was not tested, or
            is in the store no more.
    """

    version: str
    task: Task
    metric: Metric
    value: float | None
    is_calibrated: bool


def _verdict(version: Version | None, models: Store) -> StoredVerdict | None:
    try:
        return read_verdict(version, models.signer) if version else None
    except LightModelError:  # a damaged one is reported by the service, and serves no more
        return None


def _tested(
    name: str, version: Version | None, verdict: StoredVerdict | None, newest: Contract
) -> _Tested:
    task = newest.task
    if version is not None and version.manifest.contract:
        task = Contract.from_dict(version.manifest.contract).task
    metric = METRICS[verdict.metric] if verdict else gate_metric("auto", task)
    # answers have no weights: those of the test rows do not count either
    values = {**verdict.metrics, **verdict.evaluation.get("unweighted", {})} if verdict else {}
    is_calibrated = version is not None and "calibration" in version.manifest.steps
    return _Tested(name, task, metric, values.get(metric.name), is_calibrated)


@dataclass(frozen=True)
class _Judge:
    """Measures versions with the same settings on the same log."""

    config: Config
    sink: Sink
    now: datetime
    period: Period

    def judge(self, tested: _Tested, rows: int, *, is_served: bool) -> VersionQuality:
        """Measure a version that has answered so many rows."""
        metric, resamples = tested.metric, self.config.gate.bootstrap
        labelled = labelled_rows(tested.task, self.sink.labelled(tested.version))
        recent = recent_rows(labelled, self.config.watch)
        measured = recent.intervals(resamples)[metric.name] if len(recent) else None
        estimated, estimated_rows = self._estimate(tested) if tested.is_calibrated else (None, 0)
        bound = self._bound(tested)
        enough = len(recent) >= self.config.watch.min_labels
        return VersionQuality(
            tested.version,
            is_served,
            rows,
            len(labelled),
            labelled.metrics(),
            metric.name,
            len(recent),
            measured,
            estimated,
            estimated_rows,
            bound,
            state_of(metric, measured, bound) if enough else "none",
            _periods(labelled, metric, self.period, resamples),
        )

    def _bound(self, tested: _Tested) -> float | None:
        """Return the stricter of gate.minimum and the value in testing, worsened; None without either."""
        minimum = self.config.gate.minimum
        if tested.value is None:
            return minimum
        bound = tested.metric.worsened(tested.value, self.config.watch.max_regression)
        return minimum if minimum is not None and tested.metric.better(minimum, bound) else bound

    def _estimate(self, tested: _Tested) -> tuple[Interval | None, int]:
        """Return the estimate on the rows answered lately, and their number."""
        since = utc_text(self.now - timedelta(days=self.config.watch.window_days))
        every = max(1, -(-self.sink.window_size(tested.version, since) // MAX_ROWS))
        answers = [
            # the decision stands for the label, which is not known
            (time, label_name(decision := orjson.loads(prediction)), decision, orjson.loads(scores))
            for time, prediction, scores, _ in self.sink.window(tested.version, since, every)
        ]
        rows = labelled_rows(tested.task, answers)
        if len(rows) < self.config.watch.min_rows:
            return None, len(rows)
        value = estimate(rows.task, rows.scores, rows.decided, tested.metric.name)
        return value, len(rows)


def state_of(metric: Metric, measured: Interval | None, bound: float | None) -> State:
    """Return whether a measured metric is surely below its bound, surely not, or neither."""
    if measured is None or bound is None or np.isnan([measured.low, measured.high]).any():
        return "none"
    ends = (measured.low, measured.high)
    worse, better = ends if metric.higher_is_better else ends[::-1]
    if metric.better(bound, better):
        return "below"
    return "unsure" if metric.better(bound, worse) else "ok"


def _periods(
    labelled: LabelledRows, metric: Metric, period: Period, resamples: int
) -> tuple[PeriodQuality, ...]:
    """Return the quality by the day, week or month of the answer."""
    starts = _starts(labelled.times, period)
    found = []
    for start in np.unique(starts):
        rows = labelled.where(starts == start)
        value = rows.intervals(resamples)[metric.name]
        found.append(PeriodQuality(str(start), len(rows), value))
    return tuple(found)


def _starts(times: npt.NDArray[np.str_], period: Period) -> npt.NDArray[Any]:
    """Return the first day of the period of each time; weeks begin on Monday."""
    days = np.array([time[:10] for time in times.tolist()], "datetime64[D]")
    if period == "month":
        return days.astype("datetime64[M]").astype("datetime64[D]")
    if period == "week":
        return days - (days.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    return days
