"""Compare a challenger with the version that answered, on the same rows."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

from lightmodel.config import Config
from lightmodel.contract.cells import Vector
from lightmodel.contract.columns import Contract
from lightmodel.contract.results import Interval
from lightmodel.contract.task import Metric, Task, TaskKind, gate_metric, label_name
from lightmodel.errors import LightModelError
from lightmodel.predictions.base import Sink, utc_text
from lightmodel.predictions.factory import open_sink
from lightmodel.predictions.feedback import newest_contract
from lightmodel.predictions.shadows import Answer, ShadowedRows
from lightmodel.store.versions import Store, models_of
from lightmodel.training.metrics import paired_differences
from lightmodel.watch.labelled import LabelledRows, labelled_rows

State = Literal["better", "worse", "unsure", "none"]


@dataclass(frozen=True)
class ShadowComparison:
    """A challenger beside the version that answered.

    Attributes:
        served: the version that answered.
        challenger: the version that scored the same rows.
        rows: number of rows, answered in the last `watch.window_days`, that the challenger was asked.
        failed: number of those that it could not score.
        compared: number of those whose scores are compared: all, or one in so many.
        differ: share of the compared rows that the two decide differently; None for regression, or no rows.
        correlation: of the two scores (for several classes, of the probability of the answered one); None
            if one of them is constant.
        labelled: number of ids whose label is known, over all time.
        metric: name of the gate's metric.
        served_metrics: of the version that answered, on the labelled rows.
        challenger_metrics: of the challenger, on the same rows.
        differences: the challenger's less the served version's, with a paired 95 % bootstrap interval.
        state: whether the challenger is surely "better" or "worse" by the metric, or neither; "none" with
            too few labels.
    """

    served: str
    challenger: str
    rows: int
    failed: int
    compared: int
    differ: float | None
    correlation: float | None
    labelled: int
    metric: str
    served_metrics: Mapping[str, float]
    challenger_metrics: Mapping[str, float]
    differences: Mapping[str, Interval]
    state: State

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return asdict(self)


def compare_shadows(config: Config, now: datetime | None = None) -> tuple[ShadowComparison, ...]:
    """Compare the challengers that scored rows in the last `watch.window_days`.

    Raises:
        ArtefactMissing: there is no approved model, whose contract defines the labels.
        ConfigError: the prediction log is off.
        LightModelError: the log cannot be used (see `Sink`).
    """
    since = utc_text((now or datetime.now(UTC)) - timedelta(days=config.watch.window_days))
    models, newest = models_of(config), newest_contract(config).task
    with closing(open_sink(config)) as sink:
        return tuple(
            _compare(config, sink, pair, since, _task(models, pair.challenger) or newest)
            for pair in sink.shadowed(since)
        )


def _task(models: Store, version: str) -> Task | None:
    try:
        contract = models.open(version).manifest.contract
    except LightModelError:  # it was retired
        return None
    return Contract.from_dict(contract).task if contract else None


def _compare(
    config: Config, sink: Sink, pair: ShadowedRows, since: str, task: Task
) -> ShadowComparison:
    every = max(1, -(-pair.rows // config.watch.max_rows))
    both = list(sink.shadow_window(pair, since, every))
    differ, correlation = _agreement(task, both)
    served, challenger = _labelled(task, sink, pair)
    metric = gate_metric(config.gate.metric, task)
    differences = _differences(served, challenger, config.gate.bootstrap)
    enough = len(served) >= config.watch.min_labels
    return ShadowComparison(
        pair.served,
        pair.challenger,
        pair.rows,
        pair.failed,
        len(both),
        differ,
        correlation,
        len(served),
        metric.name,
        served.metrics(),
        challenger.metrics(),
        differences,
        _state(metric, differences.get(metric.name)) if enough else "none",
    )


def _agreement(task: Task, both: list[tuple[Answer, Answer]]) -> tuple[float | None, float | None]:
    """Return the share of decisions that differ, and the correlation of the scores."""
    if not both:
        return None, None
    differ = None
    if task.kind is not TaskKind.REGRESSION:
        differ = float(np.mean([one[0] != other[0] for one, other in both]))
    pairs = [(_score(one, one), _score(other, one)) for one, other in both]
    first, second = np.array(pairs, np.float64).T
    return differ, _correlation(first, second)


def _score(answer: Answer, answered: Answer) -> float:
    """Return the number by which scores are compared; of several classes, that of the answered one."""
    prediction, probability = answer
    if probability is None:
        return float(prediction)
    if isinstance(probability, dict):
        return float(probability.get(label_name(answered[0]), np.nan))
    return float(probability)


def _correlation(first: Vector, second: Vector) -> float | None:
    finite = np.isfinite(first) & np.isfinite(second)
    first, second = first[finite], second[finite]
    if len(first) < 2 or not np.ptp(first) or not np.ptp(second):
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _labelled(task: Task, sink: Sink, pair: ShadowedRows) -> tuple[LabelledRows, LabelledRows]:
    """Return the labelled rows of both versions, which are the same rows in the same order."""
    rows = sink.shadow_labelled(pair)
    served = labelled_rows(task, [(time, label, *one) for time, label, one, _ in rows])
    challenger = labelled_rows(task, [(time, label, *other) for time, label, _, other in rows])
    return served, challenger


def _differences(
    served: LabelledRows, challenger: LabelledRows, resamples: int
) -> dict[str, Interval]:
    if not len(served) or len(served) != len(challenger):
        return {}
    models = [(one.scores, one.decided) for one in (served, challenger)]
    return paired_differences(served.task, served.target, models[0], models[1], resamples)


def _state(metric: Metric, difference: Interval | None) -> State:
    """Return what the interval of a difference says of the challenger."""
    if difference is None or not np.isfinite([difference.low, difference.high]).all():
        return "none"
    if difference.low <= 0 <= difference.high:
        return "unsure"
    return "better" if metric.better(difference.value, 0.0) else "worse"
