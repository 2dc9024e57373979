"""An observer sees source, store and log, measures when it is time, and survives what fails."""

import io
import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.csv as arrow_csv
import pytest

from lightmodel.config import Config, load
from lightmodel.files import sha256_of
from lightmodel.notify.events import Event
from lightmodel.service import create_app
from lightmodel.watch.observer import Observer
from lightmodel.watch.state import WatchState
from lightmodel.watch.triggers import Observation
from tests.fakes.copies import copy_model
from tests.fakes.project import Project
from tests.fakes.tables import shop_table

Post = Callable[..., None]


def settings(*sets: str) -> Config:
    return load(None, ["log.features=true", *sets]).config


def look(config: Config, state: WatchState | None = None, *, busy: bool = False) -> Observation:
    return Observer(config)(datetime.now(UTC), state or WatchState(), busy=busy)


@pytest.fixture
def post(approved: Project) -> Post:
    """Return a function that has a service of the project score so many visits."""
    assert approved.models()

    def send(rows: int, *sets: str) -> None:
        client = create_app(settings(*sets)).test_client()
        body = io.BytesIO()
        arrow_csv.write_csv(shop_table(rows, seed=3).drop(["bought"]), body)
        answer = client.post("/predict", data=body.getvalue(), content_type="text/csv")
        assert answer.status_code == 200
        client.application.extensions["prediction_log"].close()

    return send


def test_what_there_is_to_see_after_a_training(approved: Project, post: Post) -> None:
    post(600)
    seen = look(settings())
    (model,) = approved.models()
    assert seen.served == model.name
    assert seen.table == seen.trained_on == sha256_of(Path("shop.csv"))
    assert seen.labels == 0
    assert seen.measured
    assert seen.drift
    assert (seen.drift.version, seen.drift.compared) == (model.name, 600)
    assert seen.quality
    assert seen.quality.version == model.name


def test_measurements_have_a_pause_and_the_last_ones_are_seen_between(
    approved: Project, post: Post
) -> None:
    assert approved.models()
    post(600)
    first = look(settings())
    post(100)
    now = datetime.now(UTC)
    state = WatchState(measured=now.isoformat())
    again = look(settings(), state)
    assert (again.measured, again.drift) == (False, first.drift)
    late = WatchState(measured=(now - timedelta(minutes=20)).isoformat())
    third = look(settings(), late)
    assert third.measured
    assert third.drift
    assert third.drift.rows == 700


def test_before_the_first_training_there_is_only_a_table(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    seen = look(settings())
    assert seen.table == sha256_of(project.folder / "shop.csv")
    assert (seen.served, seen.trained_on, seen.since, seen.drift, seen.labels) == (
        "",
        "",
        *[None] * 3,
    )
    assert not caplog.messages


def test_a_model_of_a_clock_that_was_ahead_does_not_count_as_trained(
    approved: Project, caplog: pytest.LogCaptureFixture
) -> None:
    assert approved.models()
    observe, now = Observer(settings()), datetime.now(UTC)
    before = now - timedelta(days=2)
    for _ in range(2):
        assert observe(before, WatchState(), busy=False).since is None
    assert len([one for one in caplog.messages if "was a clock wrong?" in one]) == 1
    earlier = (before - timedelta(days=1)).isoformat()
    assert observe(before, WatchState(trained=earlier), busy=False).since
    assert observe(now, WatchState(), busy=False).since


def test_during_a_training_the_source_is_not_asked(approved: Project) -> None:
    (approved.folder / "shop.csv").unlink()
    assert look(settings(), busy=True).table is None


def test_what_fails_is_named_once(approved: Project, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    (approved.folder / "shop.csv").rename(approved.folder / "away.csv")
    observe = Observer(settings())
    for _ in range(3):
        assert observe(datetime.now(UTC), WatchState(), busy=False).table is None
    assert [one for one in caplog.messages if one.startswith("the source: there is no file")]
    assert len([one for one in caplog.messages if one.startswith("the source")]) == 1
    (approved.folder / "away.csv").rename(approved.folder / "shop.csv")
    assert observe(datetime.now(UTC), WatchState(), busy=False).table


def test_without_a_log_nothing_is_measured_and_nothing_is_wrong(
    approved: Project, caplog: pytest.LogCaptureFixture
) -> None:
    assert approved.models()
    seen = look(settings("log.sink=none"))
    assert (seen.drift, seen.quality, seen.labels) == (None, None, None)
    assert not caplog.messages


def test_a_canary_that_keeps_up_is_promoted_by_a_measurement(approved: Project, post: Post) -> None:
    sets = ("serve.canary=0.5", "serve.canary_rows=50")
    stable, canary = approved.models()[0].name, copy_model(approved, passed=True).name
    events: list[Event] = []
    observe = Observer(settings(*sets), events.append)
    assert observe(datetime.now(UTC), WatchState(), busy=False).served == stable
    assert events == []
    post(600, *sets)
    with sqlite3.connect("var/log/predictions.sqlite") as log:
        log.execute("UPDATE predictions SET version = ? WHERE row % 2", (canary,))
    observe(datetime.now(UTC), WatchState(), busy=False)
    (event,) = events
    assert (event.name, event.title) == ("promoted", f"model {canary} is promoted")
    assert observe(datetime.now(UTC), WatchState(), busy=False).served == canary
    assert events == [event]


def test_a_canary_that_fails_is_withdrawn_by_a_measurement(approved: Project, post: Post) -> None:
    sets = ("serve.canary=0.5", "serve.canary_rows=100000")
    stable, canary = approved.models()[0].name, copy_model(approved, passed=True).name
    post(600, *sets)
    with sqlite3.connect("var/log/predictions.sqlite") as log:
        log.execute(
            "INSERT INTO shadow_predictions SELECT request, row, time, ?, id, 'null', 'null', NULL "
            "FROM predictions LIMIT 50",
            (canary,),
        )
    events: list[Event] = []
    Observer(settings(*sets), events.append)(datetime.now(UTC), WatchState(), busy=False)
    assert [event.name for event in events] == ["rolled_back"]
    assert f"{stable} answers all requests" in events[0].body
    assert look(settings(*sets)).served == stable
