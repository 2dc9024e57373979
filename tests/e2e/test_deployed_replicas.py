"""`deploy docker --replicas` on a real engine: each replica answers, and none is missed."""

import re

import docker
import pytest

from benchmarks.load import steady_load
from lightmodel.delivery.engine import execute
from tests.fakes.docker_engine import IMAGE, Deployments, variant
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.docker


def replicas(service: Deployments) -> list[str]:
    return sorted(service.images().keys() - {"proxy"})


def rows_logged(service: Deployments, name: str) -> int:
    """Return how many predictions a replica has counted."""
    container = docker.from_env().containers.get(f"{service.name}-{name}")
    read = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:5001/metrics').read().decode())"
    code, output = execute(container, ["python", "-c", read])
    assert code == 0, output
    found = re.findall(r"^lightmodel_rows_total (\S+)$", output.decode(), re.MULTILINE)
    return sum(int(float(value)) for value in found)


def test_replacing_and_scaling_replicas_under_load_loses_no_request(service: Deployments) -> None:
    second = variant("second")
    first = service.deploy("--image", IMAGE, "--replicas", "2")
    assert first.code == 0, first.err
    assert replicas(service) == ["blue", "blue-2"]
    with steady_load(service.address) as load:
        wait_until(lambda: load.answered > 50, "requests")
        assert all(rows_logged(service, name) for name in replicas(service))
        for image, number, names in (
            (second, 2, ["green", "green-2"]),
            (second, 3, ["blue", "blue-2", "blue-3"]),
            (IMAGE, 1, ["green"]),
        ):
            done = service.deploy("--image", image, "--replicas", str(number))
            assert done.code == 0, done.err
            assert replicas(service) == names
    assert load.failed == []


def test_a_replica_that_is_killed_costs_only_what_it_was_answering_and_monitor_restarts_it(
    service: Deployments,
) -> None:
    assert service.deploy("--image", IMAGE, "--replicas", "2").code == 0
    victim = docker.from_env().containers.get(f"{service.name}-blue-2")
    assert victim.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    clients = 4
    with steady_load(service.address, clients) as load:
        wait_until(lambda: load.answered > 50, "requests")
        victim.kill()
        answered = load.answered
        wait_until(lambda: load.answered > answered + 100, "answers of the other replica")
        quick = ("--set", "deploy.ready_timeout_s=60")
        restarted = service.run("monitor", *quick)
    assert (restarted.code, "answers again" in restarted.err) == (0, True), restarted.err
    assert len(load.failed) <= clients  # a POST that a replica may have got is not sent again
    victim.reload()
    assert victim.status == "running"
    assert service.run("monitor", *quick).code == 0
