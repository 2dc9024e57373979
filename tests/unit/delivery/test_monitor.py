"""When the monitor acts, when it waits, and what it tells."""

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
    """A host whose service does as it is told; it counts what was done to it."""

    wrong: str = ""
    mends: bool = True
    busy: bool = False
    revived: int = 0
    settings: DeploySection = field(default_factory=DeploySection)

    def check(self) -> str:
        return self.wrong

    def restart(self) -> None:
        self.revived += 1
        if self.busy:
            raise AlreadyRunning("another deployment of this service is under way")
        if not self.mends:
            raise DeployFailed("not ready after 60 s")
        self.wrong = ""


@dataclass(frozen=True)
class Told(Notifier):
    """A notifier that keeps what it is told."""

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
    told: Told
    memory: Path
    now: float = 1_000_000.0

    def check(self) -> str:
        """Look once, as a process of its own would."""
        host = cast("DockerHost", self.host)
        return Monitor(host, self.told, self.memory, lambda: self.now).check()


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(Host(), Told(), tmp_path / "service.json")


def test_a_service_that_answers_is_left_alone(watch: Watch) -> None:
    assert watch.check() == ""
    assert (watch.host.revived, watch.told.titles) == (0, [])


def test_one_that_does_not_is_started_and_both_are_told(watch: Watch) -> None:
    watch.host.wrong = "the service is exited"
    assert watch.check() == ""
    assert watch.host.revived == 1
    assert watch.told.titles == ["light-model does not answer", "light-model answers again"]
    assert not watch.memory.exists()


def test_tries_get_rarer_and_an_hour_is_the_longest_pause(watch: Watch) -> None:
    watch.host.wrong, watch.host.mends = "the service is exited", False
    tried = []
    for minute in range(600):
        watch.now = 1_000_000.0 + 60 * minute
        before = watch.host.revived
        assert watch.check()
        if watch.host.revived > before:
            tried.append(minute)
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert set(pauses[6:]) == {60}


def test_after_it_has_answered_the_next_trouble_is_met_at_once(watch: Watch) -> None:
    watch.host.wrong, watch.host.mends = "the service is exited", False
    watch.check()
    watch.host.wrong = ""
    watch.now += 5
    assert watch.check() == ""
    watch.host.wrong, watch.host.mends = "the service is exited", True
    assert watch.check() == ""
    assert watch.host.revived == 2


def test_a_deployment_under_way_is_not_disturbed(watch: Watch) -> None:
    watch.host.wrong, watch.host.busy = "the proxy has no container", True
    assert "under way" in watch.check()


def test_half_a_memory_is_none(watch: Watch) -> None:
    watch.memory.write_text('{"since": 1', encoding="ascii")
    watch.host.wrong = "the service is exited"
    assert watch.check() == ""
