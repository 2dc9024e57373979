"""When the monitor restarts a service, when it waits, and what it reports."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from lightmodel.config import DeploySection
from lightmodel.delivery.docker_host import DockerHost
from lightmodel.delivery.monitor import Monitor
from lightmodel.errors import AlreadyRunning, DeployFailed
from lightmodel.notify import Notifier


@dataclass
class Host:
    """A stand-in for a host, with a service in a given state; it counts restarts."""

    problem: str = ""
    recovers: bool = True
    busy: bool = False
    restarts: int = 0
    settings: DeploySection = field(default_factory=DeploySection)

    def check(self) -> str:
        return self.problem

    def restart(self) -> None:
        self.restarts += 1
        if self.busy:
            raise AlreadyRunning("another deployment of this service is under way")
        if not self.recovers:
            raise DeployFailed("not ready after 60 s")
        self.problem = ""


@dataclass(frozen=True)
class RecordingNotifier(Notifier):
    """A notifier that records titles."""

    urls: Sequence[str] = ()
    timeout_s: float = 0.0
    titles: list[str] = field(default_factory=list)

    def send(self, title: str, _: str) -> bool:
        self.titles.append(title)
        return True


@dataclass
class Watch:
    """A monitor with its surroundings, and a clock that stands still until it is moved."""

    host: Host
    notifier: RecordingNotifier
    state_file: Path
    now: float = 1_000_000.0

    def check(self) -> str:
        """Look once, as a process of its own would."""
        host = cast("DockerHost", self.host)
        return Monitor(host, self.notifier, self.state_file, lambda: self.now).check()


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(Host(), RecordingNotifier(), tmp_path / "service.json")


def test_a_service_that_answers_is_left_alone(watch: Watch) -> None:
    assert watch.check() == ""
    assert (watch.host.restarts, watch.notifier.titles) == (0, [])


def test_a_service_that_does_not_answer_is_restarted_and_both_are_reported(watch: Watch) -> None:
    watch.host.problem = "the service is exited"
    assert watch.check() == ""
    assert watch.host.restarts == 1
    assert watch.notifier.titles == ["light-model does not answer", "light-model answers again"]
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


def test_a_deployment_under_way_is_not_disturbed(watch: Watch) -> None:
    watch.host.problem, watch.host.busy = "the proxy has no container", True
    assert "under way" in watch.check()


def test_an_incomplete_state_file_is_ignored(watch: Watch) -> None:
    watch.state_file.write_text('{"since": 1', encoding="ascii")
    watch.host.problem = "the service is exited"
    assert watch.check() == ""
