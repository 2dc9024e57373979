"""Live quality: measured by labels that arrived, estimated before they do, and judged by a bound."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from lightmodel.config import Config, load
from lightmodel.contract.results import Interval, Verdict
from lightmodel.contract.task import METRICS, Task, TaskKind
from lightmodel.errors import ArtefactMissing
from lightmodel.predictions.sqlite import SqliteSink
from lightmodel.store.manifest import json_bytes
from lightmodel.store.verdict import write_verdict
from lightmodel.store.versions import Version, models_of
from lightmodel.training.metrics import measure
from lightmodel.watch.estimate import estimate
from lightmodel.watch.files import last_quality, quality_file, store_quality
from lightmodel.watch.gauges import quality_gauges
from lightmodel.watch.quality import LiveQuality, live_quality, state_of
from tests.unit.watch.watch_samples import BINARY, NOW, contract_of, log_rows

Publish = Callable[..., Version]
AUC, RMSE = METRICS["auc"], METRICS["rmse"]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    sets = [f"store.root={tmp_path}", f"log.folder={tmp_path}", "watch.min_rows=100"]
    return load(None, sets, {}).config


@pytest.fixture
def publish(config: Config) -> Publish:
    """Return a function that publishes an approved model with this AUC in testing."""

    def publish(
        auc: float = 0.9,
        steps: tuple[str, ...] = (),
        task: Task = BINARY,
        metric: str = "auc",
        unweighted: Mapping[str, float] = MappingProxyType({}),
    ) -> Version:
        store = models_of(config)
        with store.draft() as draft:
            draft.write("model.joblib", b"")
            version = draft.publish(
                inputs={}, parameters={}, rows={}, fingerprint="",
                contract=contract_of(task=task).to_dict(), task=task.to_dict(), steps=steps,
            )  # fmt: skip
        verdict = Verdict(True, metric, auc, ())
        facts = {"metrics": {metric: auc}, "evaluation": {"unweighted": dict(unweighted)}}
        write_verdict(version, verdict, b"", store.signer, **facts)
        return version

    return publish


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SqliteSink]:
    with closing(SqliteSink(tmp_path / "predictions.sqlite")) as opened:
        yield opened


def answer(
    sink: SqliteSink, version: Version, rows: int, *, days_ago: float = 0, honest: bool = True
) -> None:
    """Answer rows, and let labels arrive: as probable as answered, or by chance."""
    random = np.random.default_rng(int(10 * days_ago))
    probabilities = random.random(rows)
    time, request = NOW - timedelta(days=days_ago), f"r{days_ago}"
    log_rows(sink, version.name, probabilities, time=time, request=request)
    truth = random.random(rows) < (probabilities if honest else 0.5)
    labels = {f"{request}-{row}": "yes" if one else "no" for row, one in enumerate(truth)}
    sink.add_ground_truth(labels, NOW)


def test_without_a_model_there_is_nothing_to_judge(config: Config) -> None:
    with pytest.raises(ArtefactMissing):
        live_quality(config)


def test_without_answers_there_are_no_versions(config: Config, publish: Publish) -> None:
    publish()
    assert live_quality(config).versions == ()
    assert live_quality(config).served is None


def test_honest_answers_keep_the_bound(config: Config, publish: Publish, sink: SqliteSink) -> None:
    version = publish(0.83)
    answer(sink, version, 2_000)
    quality = live_quality(config, now=NOW).served
    assert quality is not None
    assert (quality.rows, quality.labelled, quality.recent_rows) == (2_000, 2_000, 2_000)
    assert quality.recent is not None
    assert quality.bound == pytest.approx(0.83 * 0.95)
    assert quality.recent.low < 5 / 6 < quality.recent.high  # the AUC of such probabilities
    assert (quality.state, quality.estimated) == ("ok", None)
    assert quality.metrics["auc"] == quality.recent.value


def test_answers_without_weights_are_held_against_the_unweighted_metric(
    config: Config, publish: Publish, sink: SqliteSink
) -> None:
    version = publish(0.99, unweighted={"auc": 0.83})
    answer(sink, version, 2_000)
    quality = live_quality(config, now=NOW).served
    assert quality is not None
    assert quality.bound == pytest.approx(0.83 * 0.95)
    assert quality.state == "ok"


def test_a_model_that_guesses_lately_is_below_although_it_was_good(
    config: Config, publish: Publish, sink: SqliteSink
) -> None:
    version = publish(0.83)
    for days_ago in (28.0, 21.0, 14.0):
        answer(sink, version, 3_000, days_ago=days_ago)
    answer(sink, version, 600, days_ago=1.0, honest=False)
    quality = live_quality(config, "week", NOW).served
    assert quality is not None
    assert (quality.state, quality.recent_rows, quality.labelled) == ("below", 600, 9_600)
    assert quality.metrics["auc"] > 0.75  # over all labels it still looks good
    assert [one.start for one in quality.periods] == [
        "2025-12-08", "2025-12-15", "2025-12-22", "2026-01-05"
    ]  # fmt: skip
    assert [one.value.value > 0.7 for one in quality.periods] == [True, True, True, False]
    assert [one.rows for one in quality.periods] == [3_000, 3_000, 3_000, 600]
    by_month = live_quality(config, "month", NOW).served
    assert by_month is not None
    assert [one.start for one in by_month.periods] == ["2025-12-01", "2026-01-01"]


def test_few_labels_are_not_judged_and_late_ones_are(
    config: Config, publish: Publish, sink: SqliteSink
) -> None:
    version = publish()
    answer(sink, version, 40, days_ago=90, honest=False)
    few = live_quality(config, now=NOW).served
    assert few is not None
    assert (few.state, few.labelled) == ("none", 40)
    answer(sink, version, 100, days_ago=60, honest=False)
    late = live_quality(config, now=NOW).served
    assert late is not None
    assert (late.state, late.recent_rows) == ("below", 100)


def test_the_gates_minimum_holds_as_well(
    config: Config, publish: Publish, sink: SqliteSink
) -> None:
    answer(sink, publish(0.5), 1_000)
    gate = config.gate.model_copy(update={"minimum": 0.95})
    quality = live_quality(config.model_copy(update={"gate": gate}), now=NOW).served
    assert quality is not None
    assert (quality.bound, quality.state) == (0.95, "below")


def test_rows_of_a_version_that_was_retired_are_measured_but_not_judged(
    config: Config, publish: Publish, sink: SqliteSink
) -> None:
    version = publish()
    answer(sink, replace(version, name="20250101T000000000000Z-000000"), 300)
    (quality,) = live_quality(config, now=NOW).versions
    assert (quality.is_served, quality.bound, quality.state) == (False, None, "none")
    assert quality.metrics["auc"] > 0.7


def test_a_calibrated_model_is_estimated_before_labels_arrive(
    config: Config, publish: Publish, sink: SqliteSink
) -> None:
    version = publish(0.83, ("calibration",))
    probabilities = np.random.default_rng(0).random(3_000)
    log_rows(sink, version.name, probabilities, time=NOW)
    quality = live_quality(config, now=NOW).served
    assert quality is not None
    assert (quality.labelled, quality.recent, quality.state) == (0, None, "none")
    assert quality.estimated is not None
    assert quality.estimated_rows == 3_000
    assert quality.estimated.value == pytest.approx(5 / 6, abs=0.01)
    assert quality.estimated.low < 5 / 6 < quality.estimated.high


def test_of_few_rows_nothing_is_estimated(
    config: Config, publish: Publish, sink: SqliteSink
) -> None:
    log_rows(sink, publish(0.8, ("calibration",)).name, np.full(99, 0.5), time=NOW)
    quality = live_quality(config, now=NOW).served
    assert quality is not None
    assert (quality.estimated, quality.estimated_rows) == (None, 99)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "brier"])
def test_an_estimate_is_the_expected_value(metric: str) -> None:
    p = np.random.default_rng(0).beta(1, 3, 4_000)
    decided = (p >= 0.5).astype(np.int64)
    expected = {
        "accuracy": np.maximum(p, 1 - p).mean(),
        "log_loss": -(p * np.log(p) + (1 - p) * np.log1p(-p)).mean(),
        "brier": (p * (1 - p)).mean(),
    }[metric]
    estimated = estimate(Task(TaskKind.BINARY), p, decided, metric)
    assert estimated.value == pytest.approx(expected, rel=0.005)
    assert estimated.low < expected < estimated.high


def test_the_estimate_of_several_classes_is_what_true_labels_give() -> None:
    random = np.random.default_rng(1)
    scores = random.dirichlet((1, 2, 3), 4_000)
    decided = scores.argmax(axis=1)
    truth = (random.random((4_000, 1)) >= scores.cumsum(axis=1)[:, :-1]).sum(axis=1)
    measured = measure(Task(TaskKind.MULTICLASS), truth.astype(np.float64), scores, None)
    for metric in ("accuracy", "macro_f1", "log_loss"):
        estimated = estimate(Task(TaskKind.MULTICLASS), scores, decided, metric)
        spread = estimated.high - estimated.low
        assert abs(measured[metric] - estimated.value) < spread


def test_an_estimate_that_is_undefined_says_so() -> None:
    estimated = estimate(Task(TaskKind.BINARY), np.zeros(50), np.zeros(50, np.int64), "auc")
    assert np.isnan(estimated.value)


@pytest.mark.parametrize(
    ("low", "high", "state", "of_errors"),
    [(0.5, 0.6, "below", "ok"), (0.6, 0.8, "unsure", "unsure"), (0.71, 0.8, "ok", "below")],
)
def test_the_whole_interval_decides(low: float, high: float, state: str, of_errors: str) -> None:
    measured = Interval((low + high) / 2, low, high)
    assert state_of(AUC, measured, 0.7) == state
    assert state_of(RMSE, measured, 0.7) == of_errors
    assert state_of(AUC, Interval(np.nan, np.nan, np.nan), 0.7) == "none"
    assert state_of(AUC, measured, None) == "none"


def test_it_is_stored_beside_the_log_and_exported(
    config: Config, publish: Publish, sink: SqliteSink
) -> None:
    version = publish(0.83, ("calibration",))
    answer(sink, version, 1_000)
    answer(sink, version, 500, days_ago=0.5, honest=False)
    quality = live_quality(config, now=NOW)
    store_quality(config, quality)
    assert last_quality(config) == quality
    served = quality.served
    assert served is not None
    found: Mapping[str, list[float]] = {
        family.name: [sample.value for sample in family.samples]
        for family in quality_gauges(quality.created, served)
    }
    assert found["lightmodel_quality_labels"] == [1_500]
    assert found["lightmodel_quality_below"] == [1]
    assert len(found["lightmodel_quality_value"]) == 2  # measured and estimated
    assert found["lightmodel_quality_bound"] == [served.bound]
    quality_file(config).write_text("{}", encoding="utf-8")
    assert last_quality(config) is None


def test_undefined_metrics_survive_json(config: Config, publish: Publish, sink: SqliteSink) -> None:
    version = publish()
    log_rows(sink, version.name, np.array([0.2]), time=NOW)
    sink.add_ground_truth({"r-0": "no"}, NOW)
    quality = live_quality(config, now=NOW)
    restored = LiveQuality.from_dict(json.loads(json_bytes(quality.to_dict())))
    assert restored.served is not None
    assert restored.served.recent is not None
    assert np.isnan([restored.served.metrics["auc"], restored.served.recent.low]).all()
    assert restored.served.metrics["accuracy"] == 1
