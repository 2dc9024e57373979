"""When the monitor restarts a service, when it waits, and what it reports."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest

from lightmodel.delivery.monitor import Monitor
from lightmodel.errors import DeployFailed
from lightmodel.notify.events import Event


@dataclass
class Host:
    """A stand-in for a host, with a service in a given state; it counts restarts."""

    problem: str = ""
    recovers: bool = True
    locked: bool = False
    abandoned: str = ""
    restarts: int = 0
    name: str = "light-model"

    def check(self) -> str:
        return self.problem

    def is_locked(self) -> bool:
        return self.locked

    def end_abandoned(self) -> str:
        ended, self.abandoned = self.abandoned, ""
        return ended

    def restart(self) -> None:
        self.restarts += 1
        if not self.recovers:
            raise DeployFailed("not ready after 60 s")
        self.problem = ""


@dataclass
class Watch:
    """A monitor with its surroundings, and a clock that stands still until it is moved."""

    host: Host
    events: list[Event]
    state_file: Path
    now: float = 1_000_000.0

    def check(self) -> str:
        """Look once, as a process of its own would."""
        return Monitor(self.host, self.events.append, self.state_file, lambda: self.now).check()


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(Host(), [], tmp_path / "service.json")


def test_a_service_that_answers_is_left_alone(watch: Watch) -> None:
    assert watch.check() == ""
    assert (watch.host.restarts, watch.events) == (0, [])


def test_a_service_that_does_not_answer_is_restarted_and_both_are_reported(watch: Watch) -> None:
    watch.host.problem = "the service is exited"
    assert watch.check() == ""
    assert watch.host.restarts == 1
    titles = [event.title for event in watch.events]
    assert titles == ["the service does not answer", "the service answers again"]
    assert watch.events[0].body == "the service is exited; it is being restarted"
    assert not watch.state_file.exists()


def test_the_pauses_between_restarts_double_up_to_an_hour(watch: Watch) -> None:
    watch.host.problem, watch.host.recovers = "the service is exited", False
    tried = []
    for minute in range(600):
        watch.now = 1_000_000.0 + 60 * minute
        before = watch.host.restarts
        assert watch.check()
        if watch.host.restarts > before:
            tried.append(minute)
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert set(pauses[6:]) == {60}


def test_after_a_recovery_the_next_incident_is_acted_on_at_once(watch: Watch) -> None:
    watch.host.problem, watch.host.recovers = "the service is exited", False
    watch.check()
    watch.host.problem = ""
    watch.now += 5
    assert watch.check() == ""
    watch.host.problem, watch.host.recovers = "the service is exited", True
    assert watch.check() == ""
    assert watch.host.restarts == 2


def test_a_deployment_under_way_is_not_disturbed_and_uses_up_no_try(watch: Watch) -> None:
    watch.host.problem, watch.host.locked = "the proxy has no container", True
    assert watch.check() == "the proxy has no container"
    assert (watch.host.restarts, watch.events) == (0, [])
    watch.host.locked = False
    assert watch.check() == ""
    assert watch.host.restarts == 1


def test_a_deployment_that_was_killed_is_undone_and_reported(watch: Watch) -> None:
    watch.host.abandoned = "light-model-blue gets the requests again"
    assert watch.check() == ""
    assert watch.host.restarts == 0
    assert [event.name for event in watch.events] == ["rolled_back"]
    assert watch.events[0].body == "light-model-blue gets the requests again"


@pytest.mark.parametrize(
    "content",
    ['{"since": 1', "[]", '{"since": "yesterday"}', '{"since": 1, "tries": null, "next_try": 0}'],
)
def test_a_damaged_state_file_is_ignored(watch: Watch, content: str) -> None:
    watch.state_file.write_text(content, encoding="ascii")
    watch.host.problem = "the service is exited"
    assert watch.check() == ""
    assert watch.host.restarts == 1


def test_a_pause_of_a_clock_that_was_ahead_holds_no_restart_back(watch: Watch) -> None:
    watch.state_file.write_text('{"since": 1, "tries": 1, "next_try": 2e9}', encoding="ascii")
    watch.host.problem = "the service is exited"
    assert watch.check() == ""
    assert watch.host.restarts == 1
