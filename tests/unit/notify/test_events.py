"""Every event has a title and a body."""

from dataclasses import replace
from typing import get_args

import pytest

from lightmodel.config.notification import EventName
from lightmodel.notify import events
from lightmodel.notify.events import Event

SAMPLES = (
    events.Started("run", "20261129T120000000000Z-aaaaaa"),
    events.Published("20261129T120000000000Z-bbbbbb", "AUC 0.8312"),
    events.GateFailed("AUC 0.6 is below gate.minimum 0.7", "see the report", "run"),
    events.Deployed("20261129T120000000000Z-bbbbbb", "http://localhost:5001"),
    events.RolledBack("20261129T120000000000Z-bbbbbb", "No model is served now."),
    events.Promoted("20261129T120000000000Z-bbbbbb", "it has answered 1,000 rows"),
    events.Drift(("age", "spent"), 1_200),
    events.QualityFell("20261129T120000000000Z-bbbbbb", "AUC", 0.6, 0.7, 1_200),
    events.Restarted("the service", "does not answer", "it is being restarted"),
    events.StageFailed("train", "DataError", "name another target", "run"),
    events.Alert("ModelTooOld", "warning", "server:5001", "the served model is 31d old", "Train."),
    events.AlertResolved("ModelTooOld", "server:5001", "the served model is 31d old"),
    events.Message("Build {7}", ""),
)


def test_a_receiver_can_subscribe_to_every_event() -> None:
    assert {type(event) for event in SAMPLES} == set(Event.__subclasses__())
    assert [event.name for event in SAMPLES] == list(get_args(EventName))


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.name)
def test_the_templates_are_filled_in_with_the_fields(event: Event) -> None:
    assert event.title.count("\n") == 0 < len(event.title)
    assert event.body
    named = [str(value) for value in vars(event).values() if isinstance(value, str)]
    assert all(value in event.title + event.body for value in named)


def test_drift_names_the_first_columns_only() -> None:
    event = events.Drift(tuple(f"column {number}" for number in range(9)), 1_200)
    assert event.title == "the data has drifted in 9 columns"
    assert "1,200 rows" in event.body
    assert "column 4, …" in event.body
    assert "column 5" not in event.body


def test_the_reason_of_a_run_ends_its_notifications() -> None:
    started = replace(SAMPLES[0], reason="new data at the source")
    assert started.body.endswith("\nreason: new data at the source")
    assert started.title == SAMPLES[0].title
    assert "reason" not in SAMPLES[0].body
