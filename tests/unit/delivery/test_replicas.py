"""Several replicas behind the proxy: started one by one, scaled, replaced, restarted, without an outage."""

from typing import TYPE_CHECKING, cast

import pytest

from lightmodel.config import load
from lightmodel.delivery import docker_host
from lightmodel.delivery.docker_host import DockerHost
from lightmodel.errors import DeployFailed
from tests.fakes.docker_host import FIRST, SECOND, Host

if TYPE_CHECKING:
    from docker import DockerClient


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(docker_host, "_POLL_S", 0.0)
    made = Host()
    made.add_image("first", FIRST)
    made.add_image("second", SECOND)
    return made


def service(host: Host, replicas: int, *sets: str) -> DockerHost:
    settings = [f"deploy.replicas={replicas}", "deploy.watch_s=0.01", "deploy.ready_timeout_s=0.01"]
    config = load(None, [*settings, *sets], {}).config
    return DockerHost(cast("DockerClient", host), config.deploy)


def replicas(host: Host) -> list[str]:
    return host.named("light-model-(blue|green).*")


def test_each_replica_has_the_name_of_all_and_one_of_its_own(host: Host) -> None:
    done = service(host, 3).deploy("first")
    assert (done.changed, done.version) == (True, FIRST)
    assert replicas(host) == ["light-model-blue", "light-model-blue-2", "light-model-blue-3"]
    found = [host.containers.get(name) for name in replicas(host)]
    assert [one.aliases for one in found] == [["blue", f"blue-{number}"] for number in (1, 2, 3)]
    assert {one.policy for one in found} == {"unless-stopped"}
    assert {one.options["environment"]["LIGHTMODEL__SERVE__REPLICAS"] for one in found} == {"3"}
    again = service(host, 3).deploy("first")
    assert not again.changed


def test_one_replica_is_what_earlier_releases_deployed(host: Host) -> None:
    service(host, 1).deploy("first")
    (name,) = replicas(host)
    assert name == "light-model-blue"
    environment = host.containers.get(name).options["environment"]
    assert environment == {"LIGHTMODEL__SERVE__PROXIES": "1"}


def test_the_next_version_starts_one_by_one_and_takes_over_when_all_are_checked(host: Host) -> None:
    service(host, 2).deploy("first")
    host.events.clear()
    service(host, 2).deploy("second")
    assert [event for event in host.events if "deploying" not in event] == [
        "start light-model-green",
        "start light-model-green-2",
        "switch",
        "switch",  # the end of the watch
        "stop light-model-blue",
        "remove light-model-blue",
        "stop light-model-blue-2",
        "remove light-model-blue-2",
    ]
    assert replicas(host) == ["light-model-green", "light-model-green-2"]
    assert host.outages == []


@pytest.mark.parametrize("counts", [(1, 3), (3, 1), (2, 3), (4, 2)])
def test_another_number_is_reached_without_an_outage(host: Host, counts: tuple[int, int]) -> None:
    before, after = counts
    assert service(host, before).deploy("first").changed
    assert service(host, after).deploy("first").changed
    assert len(replicas(host)) == after
    assert all("green" in name for name in replicas(host))
    assert host.outages == []


def test_a_replica_that_never_becomes_ready_leaves_the_old_version_alone(host: Host) -> None:
    service(host, 2).deploy("first")
    before = replicas(host)
    host.add_image("bad", SECOND, starts=lambda number: number != 2)
    with pytest.raises(DeployFailed, match="not ready"):
        service(host, 2).deploy("bad")
    assert replicas(host) == before
    assert not any("green" in name for name in host.state)
    assert host.outages == []


@pytest.mark.parametrize("dying", ["green", "green-3", "green.*"])
def test_any_replica_that_dies_in_the_watch_brings_the_old_version_back(
    host: Host, dying: str
) -> None:
    service(host, 3).deploy("first")
    before = replicas(host)

    def die(event: str) -> None:
        if event == "switch" and "green" in host.state:
            for name in host.named(f"light-model-{dying}"):
                host.containers.get(name).status = "exited"

    host.on_event = die
    with pytest.raises(DeployFailed, match=r"exited|answers instead of"):
        service(host, 3, "deploy.watch_s=60").deploy("second")
    host.on_event = lambda _: None
    assert replicas(host) == before
    assert host.outages == []
    assert service(host, 3).check() == ""


def test_what_a_killed_deployment_left_is_removed(host: Host) -> None:
    service(host, 2).deploy("first")

    def kill(event: str) -> None:
        if event == "start light-model-green-2":
            raise SystemExit

    host.on_event = kill
    with pytest.raises(SystemExit):
        service(host, 2).deploy("second")
    host.on_event = lambda _: None
    for number in (1, 2):  # as if nothing had been cleaned up
        name = "light-model-green" + ("-2" if number > 1 else "")
        if name not in replicas(host):
            host.containers.create("second", name=name)
    assert service(host, 1).deploy("second").changed
    assert replicas(host) == ["light-model-green"]
    assert host.outages == []


def test_a_deployment_that_was_killed_in_its_watch_is_undone_for_all_replicas(host: Host) -> None:
    service(host, 2).deploy("first")
    old = replicas(host)
    for number in (1, 2):
        config = {"light-model": {"aliases": ["green", f"green-{number}"]}}
        name = "light-model-green" + ("-2" if number > 1 else "")
        host.containers.create("second", name=name, networking_config=config).start()
    host.state |= {"green", "watched-green"}
    said = service(host, 2).end_abandoned()
    assert "gets the requests again: light-model-blue, light-model-blue-2" in said
    assert replicas(host) == old
    assert host.outages == []


@pytest.mark.parametrize("fault", ["exited", "silent"])
def test_only_the_replica_that_does_not_answer_is_restarted(host: Host, fault: str) -> None:
    service(host, 3).deploy("first")
    failing = host.containers.get("light-model-blue-2")
    if fault == "exited":
        failing.status = "exited"
    failing.answers = fault == "exited"
    monitored = service(host, 3)
    assert monitored.check() == "of 3 replicas do not answer: light-model-blue-2"
    host.events.clear()
    monitored.restart()
    assert [event for event in host.events if event.startswith("restart")] == [
        "restart light-model-blue-2"
    ]
    assert monitored.check() == ""
    assert host.outages == []


def test_a_replica_that_was_removed_by_hand_is_replaced_with_all_by_their_number_then(
    host: Host,
) -> None:
    service(host, 3).deploy("first")
    host.containers.get("light-model-blue").remove()
    monitored = service(host, 1)  # `monitor` may not know what `deploy docker --replicas` was told
    assert monitored.check() == "1 of 3 replicas have no container"
    monitored.restart()
    assert len(replicas(host)) == 3
    assert monitored.check() == ""
    assert host.outages == []


def test_the_plan_names_what_is_started_and_what_is_removed(host: Host) -> None:
    assert any("beside nothing" in line for line in service(host, 2).plan("first"))
    service(host, 2).deploy("first")
    before = list(host.events)
    plan = "\n".join(service(host, 3).plan("second"))
    assert "3 times, one after the other, beside light-model-blue, light-model-blue-2" in plan
    assert "remove light-model-blue, light-model-blue-2" in plan
    assert host.events == before
