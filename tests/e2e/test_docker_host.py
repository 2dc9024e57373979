"""`deploy docker` on a real engine: good and bad versions, rollback, and no lost request."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import pytest
import requests
from docker.errors import APIError
from docker.models.containers import Container

from benchmarks.load import steady_load
from benchmarks.ports import free_port
from tests.fakes.docker_engine import (
    ANSWERS_WRONGLY,
    ENDS_AT_ONCE,
    IMAGE,
    NEVER_READY,
    Deployments,
    variant,
)
from tests.fakes.waiting import running, wait_until

pytestmark = pytest.mark.docker


def image_id(name: str) -> str:
    return str(docker.from_env().images.get(name).id)


def test_the_first_deployment_answers_and_the_same_again_changes_nothing(
    service: Deployments,
) -> None:
    first = service.deploy("--image", IMAGE)
    assert (first.code, service.version() in first.out) == (0, True), first.err
    before = service.images()
    assert before["blue"] == image_id(IMAGE)
    config = docker.from_env().containers.get(f"{service.name}-blue").attrs["Config"]
    assert config["Image"].startswith(f"{service.name}:deployed-")
    assert config["Labels"]["light-model.model"] == service.version()
    assert config["Labels"]["org.opencontainers.image.revision"] == "c0ffee"
    assert config["Labels"]["org.opencontainers.image.version"] == "7"
    again = service.deploy("--image", IMAGE)
    assert again.code == 0
    assert "nothing was changed" in again.out
    assert service.images() == before


def test_the_next_version_takes_over_and_rollback_brings_the_old_one_back(
    service: Deployments,
) -> None:
    second = variant("second")
    assert service.deploy("--image", IMAGE).code == 0
    assert service.deploy("--image", second).code == 0
    assert {"green": image_id(second)}.items() <= service.images().items()
    assert "blue" not in service.images()
    docker.from_env().containers.get(f"{service.name}-green").remove(force=True)
    assert service.run("monitor").code == 0  # makes the container anew
    planned = service.deploy("--rollback", "--dry-run")
    assert image_id(IMAGE) in planned.out
    back = service.deploy("--rollback")
    assert back.code == 0, back.err
    assert service.images()[service.live()] == image_id(IMAGE)
    assert len(service.images()) == 2


@pytest.mark.parametrize(
    ("name", "lines", "timeout_s", "message"),
    [
        ("never-ready", NEVER_READY, 3, "not ready after 3 s"),
        ("ends", ENDS_AT_ONCE, 60, "exited, exit code 3"),
        (
            "wrong",
            ANSWERS_WRONGLY,
            60,
            "differ from the stored scores in sample rows 1, 2, 3, 4, 5",
        ),
    ],
)
def test_a_version_that_fails_its_smoke_test_never_gets_a_request(
    service: Deployments, name: str, lines: str, timeout_s: int, message: str
) -> None:
    bad = variant(name, lines)
    assert service.deploy("--image", IMAGE).code == 0
    before = service.images()
    with steady_load(service.address) as load:
        done = service.deploy("--image", bad, "--set", f"deploy.ready_timeout_s={timeout_s}")
    assert (done.code, message in done.err) == (11, True), done.err
    assert service.images() == before
    assert load.answered > 0
    assert load.failed == []


@contextmanager
def watching(service: Deployments, image: str) -> "Iterator[subprocess.Popen[str]]":
    """Deploy an image in a process of its own, and yield that one once it watches the new version."""
    with running(
        service.command("deploy", "docker", "--image", image, "--set", "deploy.watch_s=600"),
        cwd=service.folder,
        env=service.environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: service.live() == "green", "the switch", process=process, seconds=180)
        yield process


def test_a_version_that_dies_while_it_is_watched_costs_no_request_and_is_rolled_back(
    service: Deployments,
) -> None:
    second = variant("second")
    assert service.deploy("--image", IMAGE).code == 0
    with watching(service, second) as process, steady_load(service.address) as load:
        wait_until(lambda: load.answered > 50, "requests to the new version")
        docker.from_env().containers.get(f"{service.name}-green").kill()
        _, printed = process.communicate(timeout=120)
    assert process.returncode == 11
    assert "the old one keeps serving" in printed
    assert service.images().keys() == {"blue", "proxy"}
    assert service.version()
    assert load.failed == []


def test_monitor_ends_a_deployment_that_was_killed_while_it_watched(service: Deployments) -> None:
    second = variant("second")
    assert service.deploy("--image", IMAGE).code == 0
    with watching(service, second):
        assert service.run("monitor").code == 0
        assert service.live() == "green"  # a deployment that is under way is left alone
    with steady_load(service.address) as load:
        docker.from_env().containers.get(f"{service.name}-green").kill()
        wait_until(lambda: "deploying" not in service.images(), "the end of the lock")
        done = service.run("monitor")
        wait_until(lambda: load.answered > 50, "requests to the old version")
    assert (done.code, "gets the requests again" in done.err) == (0, True), done.err
    assert service.images().keys() == {"blue", "proxy"}
    assert load.failed == []


def test_switches_under_load_lose_no_request(service: Deployments) -> None:
    images = [IMAGE, variant("second")]
    assert service.deploy("--image", images[0]).code == 0
    with steady_load(service.address) as load:
        for number in (1, 2):  # to green, and back to blue
            done = service.deploy("--image", images[number % 2])
            assert done.code == 0, done.err
    print(f"{load.answered} requests, {len(load.failed)} failed")
    assert load.failed == []
    assert load.answered > 100


def test_an_interrupted_deployment_leaves_the_old_version_serving(service: Deployments) -> None:
    bad = variant("never-ready", NEVER_READY)
    assert service.deploy("--image", IMAGE).code == 0
    before = service.images()
    with running(
        service.command("deploy", "docker", "--image", bad, "--set", "deploy.ready_timeout_s=300"),
        cwd=service.folder,
        env=service.environment(),
    ) as process:
        wait_until(lambda: "green" in service.images(), "the new container", process=process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
    assert service.images() == before


def test_one_deployment_at_a_time_and_a_killed_one_blocks_no_other(service: Deployments) -> None:
    bad, second = variant("never-ready", NEVER_READY), variant("second")
    assert service.deploy("--image", IMAGE).code == 0
    with running(
        service.command("deploy", "docker", "--image", bad, "--set", "deploy.ready_timeout_s=300"),
        cwd=service.folder,
        env=service.environment(),
    ) as process:
        wait_until(lambda: "green" in service.images(), "the new container", process=process)
        locked = service.deploy("--image", second)
        assert (locked.code, "under way" in locked.err) == (75, True)
    wait_until(lambda: "deploying" not in service.images(), "the end of the lock")
    assert service.deploy("--image", second).code == 0
    assert service.images()["green"] == image_id(second)


def test_a_port_in_use_is_reported_and_another_port_is_moved_to(service: Deployments) -> None:
    taken, free = service.port, free_port()
    docker.from_env().containers.run(
        IMAGE, detach=True, ports={"5001/tcp": taken}, name=f"{service.name}-other"
    )
    refused = service.deploy("--image", IMAGE)
    assert (refused.code, f"port {taken}" in refused.err) == (78, True), refused.err
    assert service.images().keys() == {"other"}
    for port in (free_port(), free):
        service.port = port
        done = service.deploy("--image", IMAGE)
        assert (done.code, f"http://localhost:{port}\n" in done.out) == (0, True), done.err
        assert service.version()
    service.port = taken
    refused = service.deploy("--image", IMAGE)
    assert (refused.code, f"port {taken}" in refused.err) == (78, True), refused.err
    service.port = free
    assert service.version()
    assert service.images().keys() == {"other", "proxy", "blue"}


def test_keys_and_settings_reach_the_service_from_the_env_file(
    service: Deployments, tmp_path: Path
) -> None:
    env_file = tmp_path / "service.env"
    env_file.write_text(
        "# of the service\nLIGHTMODEL__SERVE__API_KEYS=open-sesame\n", encoding="utf-8"
    )
    service.settings["env_file"] = str(env_file)
    refused = service.deploy("--image", IMAGE)
    assert (refused.code, "LIGHTMODEL__DEPLOY__API_KEY" in refused.err) == (11, True), refused.err
    service.settings["api_key"] = "open-sesame"
    done = service.deploy("--image", IMAGE)
    assert done.code == 0, done.err
    assert "open-sesame" not in done.out + done.err
    assert requests.get(f"{service.address}/model", timeout=60).status_code == 401
    headers = {"X-API-Key": "open-sesame"}
    assert requests.get(f"{service.address}/model", headers=headers, timeout=60).ok
    env_file.write_text("nonsense\n", encoding="utf-8")
    wrong = service.deploy("--image", IMAGE)
    assert (wrong.code, "line 1: must be NAME=VALUE" in wrong.err) == (78, True)


def test_an_image_that_is_missing_or_serves_nothing_is_refused(service: Deployments) -> None:
    missing = service.deploy("--image", "light-model-of-nobody")
    assert (missing.code, "there is no image" in missing.err) == (78, True), missing.err
    other = service.deploy("--image", "light-model-proxy")
    assert (other.code, "holds 0 models" in other.err) == (78, True), other.err


def pause(container: Container) -> None:
    """Pause a container; a busy engine may fail to freeze all of its processes at the first try."""

    def is_paused() -> bool:
        with suppress(APIError):
            container.pause()
        container.reload()
        return bool(container.status == "paused")

    wait_until(is_paused, "the pause", interval_s=0.5)


def test_monitor_restarts_a_dead_service_and_leaves_a_healthy_one_alone(
    service: Deployments,
) -> None:
    assert service.deploy("--image", IMAGE).code == 0
    client = docker.from_env()

    def started() -> dict[str, str]:
        containers = {
            part: client.containers.get(f"{service.name}-{part}") for part in ("blue", "proxy")
        }
        return {part: one.attrs["State"]["StartedAt"] for part, one in containers.items()}

    before = started()
    assert service.run("monitor").code == 0
    assert started() == before
    quick = ("--set", "deploy.ready_timeout_s=60")
    client.containers.get(f"{service.name}-blue").kill()
    restarted = service.run("monitor", *quick)
    assert (restarted.code, "answers again" in restarted.err) == (0, True), restarted.err
    assert service.version()
    pause(client.containers.get(f"{service.name}-blue"))
    assert service.run("monitor", *quick).code == 0
    assert service.version()
    proxy = client.containers.get(f"{service.name}-proxy")
    pause(proxy)
    assert service.run("monitor", *quick).code == 0
    assert service.version()
    assert client.containers.get(f"{service.name}-proxy").id == proxy.id
    for part in ("blue", "proxy"):
        client.containers.get(f"{service.name}-{part}").remove(force=True)
    assert service.run("monitor", *quick).code == 0
    assert service.version()


def test_monitor_waits_longer_after_each_failed_restart(
    service: Deployments,
) -> None:
    assert service.deploy("--image", IMAGE).code == 0
    docker.from_env().containers.get(f"{service.name}-blue").remove(force=True)
    docker.from_env().images.remove(f"{service.name}:live")
    first = service.run("monitor")
    assert first.code == 11
    assert "could not be restarted" in first.err
    second = service.run("monitor")
    assert second.code == 11
    assert "the next try is in" in second.err


def test_without_an_engine_the_message_names_docker_host(service: Deployments) -> None:
    done = service.run("deploy", "docker", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert (done.code, "no Docker engine answers" in done.err, "DOCKER_HOST" in done.err) == (
        75,
        True,
        True,
    )


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of a client that reaches this machine's engine by ssh."""
    port, folder = free_port(), tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for key in ("host", "user"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(make, check=True)
    socket = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/user.pub\nPermitRootLogin yes\nSetEnv DOCKER_HOST={socket}\n",
        encoding="utf-8",
    )
    # The user's ssh settings, which the engine's client must use.
    (folder / "config").write_text(
        f"Host far-away\n HostName 127.0.0.1\n IdentityFile {folder}/user\n"
        " StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n LogLevel ERROR\n",
        encoding="utf-8",
    )
    shim = folder / "bin" / "ssh"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {folder}/config "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    Path("/run/sshd").mkdir(exist_ok=True)
    with running(["/usr/sbin/sshd", "-D", "-f", str(folder / "sshd_config")]):
        path = f"{shim.parent}:{os.environ['PATH']}"
        yield {"DOCKER_HOST": f"ssh://far-away:{port}", "PATH": path}


def test_another_machine_is_deployed_to_by_ssh(
    service: Deployments, remote: dict[str, str]
) -> None:
    done = service.run("deploy", "docker", "--image", IMAGE, **remote)
    assert done.code == 0, done.err
    assert service.version() in done.out
