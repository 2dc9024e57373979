"""Looks at the metrics, and what happened between them."""

import math

import pytest

from benchmarks.ports import free_port
from lightmodel.config import ConsoleSection
from lightmodel.console.failures import ServiceFailure
from lightmodel.console.service_client import ServiceClient
from lightmodel.console.watching.history import History, changes, periods_of, quantile
from lightmodel.console.watching.sampler import look, look_once
from lightmodel.console.watching.snapshot import Snapshot, read_metrics
from tests.fakes.web import Reply, Web

QUALITY = """
lightmodel_model_info{version="v2"} 1.0
lightmodel_quality_value{metric="auc",kind="measured",version="v2"} 0.81
lightmodel_quality_low{metric="auc",kind="measured",version="v2"} 0.78
lightmodel_quality_high{metric="auc",kind="measured",version="v2"} 0.84
lightmodel_quality_bound{metric="auc",version="v2"} 0.7
lightmodel_quality_labels{version="v2"} 250.0
lightmodel_quality_timestamp_seconds{version="v2"} 1.75e9
lightmodel_drift_columns{version="v2"} 2.0
lightmodel_drift_timestamp_seconds{version="v2"} 1.75e9
"""


def test_what_the_service_counts_is_read(service: str) -> None:
    client = ServiceClient(service)
    before, _ = look(client)
    sample = client.model().samples[0].values
    for _ in range(3):
        client.predict_row(sample)
    with pytest.raises(ServiceFailure):
        client.predict_row({"age": 1})
    after, state = look(client)
    counted = changes(before, after)
    assert (counted.rows, counted.requests, counted.failures) == (3, 4, 1)
    assert sum(counted.scores.values()) == 3
    assert max(counted.seconds.values()) == 4
    assert state.version == client.schema().version
    assert state.quality == ()


def test_live_quality_is_read_with_its_interval() -> None:
    _, state = read_metrics(QUALITY, 1.0)
    (one,) = state.quality
    assert (one.metric, one.kind, one.value, one.low, one.high) == (
        "auc",
        "measured",
        0.81,
        0.78,
        0.84,
    )
    assert (state.bound, state.labels, state.drift) == (0.7, 250, 2)
    assert state.measured is not None
    assert state.measured.year == 2025


def snapshots(*rows: float, step: float = 60) -> list[Snapshot]:
    return [
        Snapshot(number * step, requests=count, rows=count) for number, count in enumerate(rows)
    ]


def test_periods_say_how_much_happened_in_them() -> None:
    periods = periods_of(snapshots(0, 60, 60, 180), 0, 180)
    busy = [(period.end, period.rows_per_minute) for period in periods if period.rows_per_minute]
    assert [rows for _, rows in busy] == [60, 120]
    assert [round(end) for end, _ in busy] == [60, 180]


def test_a_restart_of_the_service_is_no_negative_number() -> None:
    before, after = snapshots(500, 20)
    assert changes(before, after).rows == 20


def test_nothing_and_one_look_are_no_period() -> None:
    assert periods_of([], 0, 60) == ()
    assert periods_of(snapshots(5), 0, 60) == ()


def test_the_history_stays_small_and_keeps_both_ends() -> None:
    history = History()
    for number in range(10_000):
        history.add(Snapshot(float(number)))
    history.add(Snapshot(5.0))
    kept = history.since(-math.inf)
    assert len(kept) <= 2_000
    assert (kept[0].time, kept[-1].time) == (0, 9_999)
    assert [one.time for one in kept] == sorted(one.time for one in kept)
    assert history.since(9_999)[0].time < 9_999


def test_a_quantile_lies_where_prometheus_would_put_it() -> None:
    seconds = {0.1: 50.0, 0.2: 100.0, math.inf: 100.0}
    assert quantile(seconds, 0.5) == pytest.approx(0.1)
    assert quantile(seconds, 0.75) == pytest.approx(0.15)
    assert quantile({0.1: 0.0, math.inf: 4.0}, 0.5) == 0.1
    assert quantile({0.1: 0.0}, 0.5) is None
    assert quantile({}, 0.5) is None


def test_the_sampler_goes_on_after_a_failure(service: str) -> None:
    history = History()
    failures = []
    for address in (f"http://127.0.0.1:{free_port()}", service):
        look_once(ConsoleSection(service_url=address), history)
        failures.append(history.failure)
    assert [failure is None for failure in failures] == [False, True]
    assert len(history.since(0)) == 1


def test_a_page_that_is_no_metrics_is_a_failure() -> None:
    with (
        Web(lambda _asked: Reply(b"<html>{ no metrics")) as web,
        pytest.raises(ServiceFailure, match="cannot be read"),
    ):
        look(ServiceClient(web.url))
