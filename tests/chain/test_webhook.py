"""`python -m lightmodel webhook` as a process; GitHub's API and Jenkins' endpoint are loopback servers."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from benchmarks.ports import free_port
from lightmodel.delivery.webhook import PATH, GitHubHooks, policy
from tests.fakes.github import REPOSITORY, TOKEN, GitHub, github, jenkins_endpoint
from tests.fakes.ngrok import TOKEN as KNOWN
from tests.fakes.ngrok import ngrok_service
from tests.fakes.project import ROOT, Ran
from tests.fakes.waiting import running

SECRET = "shared-with-jenkins"


@pytest.fixture
def hub() -> Iterator[GitHub]:
    with github() as state:
        yield state


@pytest.fixture
def jenkins() -> Iterator[str]:
    with jenkins_endpoint(SECRET) as url:
        yield url


def environment(hub: GitHub, address: str, **more: str) -> dict[str, str]:
    settings = {
        "repository": REPOSITORY,
        "github_api": hub.url,
        "github_token": TOKEN,
        "secret": SECRET,
        "address": address,
        **more,
    }
    variables = {f"LIGHTMODEL__WEBHOOK__{key.upper()}": value for key, value in settings.items()}
    return {**os.environ, "PYTHONPATH": str(ROOT), **variables}


COMMAND = [sys.executable, "-m", "lightmodel", "webhook"]


def webhook(hub: GitHub, address: str, *words: str, **more: str) -> Ran:
    done = subprocess.run(
        [*COMMAND, *words],
        env=environment(hub, address, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_a_webhook_is_registered_and_its_ping_is_answered(hub: GitHub, jenkins: str) -> None:
    done = webhook(hub, jenkins)
    assert (done.code, "ping was answered" in done.out) == (0, True), done.err
    (hook,) = hub.hooks.values()
    assert hook["config"] == {
        "url": f"{jenkins}/github-webhook/",
        "content_type": "json",
        "secret": SECRET,
        "insecure_ssl": "0",
    }
    assert (hook["events"], hook["active"]) == (["push"], True)
    assert SECRET not in done.out + done.err
    assert TOKEN not in done.out + done.err


def test_an_existing_webhook_is_updated_and_not_duplicated(hub: GitHub, jenkins: str) -> None:
    for number in range(101):  # so that the webhook is on the second page
        hub.make({"config": {"url": f"https://other.example/{number}"}})
    hub.make({"config": {"url": f"{jenkins}/github-webhook/", "secret": "old"}, "events": ["*"]})
    assert webhook(hub, f"{jenkins}/").code == 0
    assert len(hub.hooks) == 102
    assert hub.hooks[202]["config"]["secret"] == SECRET
    assert hub.hooks[202]["events"] == ["push"]


def test_the_webhook_of_a_tunnel_that_is_gone_is_taken_over(hub: GitHub) -> None:
    hub.make({"config": {"url": "https://old-one.ngrok-free.app/github-webhook/"}})
    hub.make({"config": {"url": "https://jenkins.example.org/github-webhook/"}})
    hooks = GitHubHooks(hub.url, REPOSITORY, TOKEN)
    assert hooks.register("https://new-one.ngrok-free.app", SECRET) == 101
    assert len(hub.hooks) == 2


@pytest.mark.parametrize(
    ("address", "secret", "message"),
    [
        ("{jenkins}", "another", "400: Jenkins refuses the signature"),
        ("{jenkins}/deeper", SECRET, "403: refused"),
        ("http://127.0.0.1:{port}", SECRET, "nothing: GitHub says"),
    ],
)
def test_a_ping_that_jenkins_refuses_is_explained(
    hub: GitHub, jenkins: str, address: str, secret: str, message: str
) -> None:
    done = webhook(hub, address.format(jenkins=jenkins, port=free_port()), secret=secret)
    assert (done.code, message in done.err) == (11, True), done.err


def test_the_webhook_is_removed_at_the_end_when_asked(hub: GitHub, jenkins: str) -> None:
    with running(
        [*COMMAND, "--remove-on-exit"],
        env={**environment(hub, jenkins), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert any("until Ctrl-C" in line for line in process.stdout)
        assert len(hub.hooks) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert hub.hooks == {}


@pytest.mark.parametrize(
    ("status", "headers", "code", "message"),
    [
        (401, {}, 78, "does not know the token"),
        (403, {}, 78, "admin:repo_hook"),
        (404, {}, 78, "webhook.repository"),
        (422, {}, 78, "rejects the webhook"),
        (403, {"X-RateLimit-Remaining": "0"}, 75, "limits the rate"),
        (429, {"Retry-After": "30"}, 75, "wait 30 s"),
        (502, {}, 75, "answers 502"),
    ],
)
def test_what_github_refuses_is_reported_with_a_hint(
    hub: GitHub, jenkins: str, status: int, headers: dict[str, str], code: int, message: str
) -> None:
    hub.refuses = (status, headers)
    done = webhook(hub, jenkins)
    assert (done.code, message in done.err) == (code, True), done.err
    assert TOKEN not in done.err


def test_an_unreachable_github_is_reported(hub: GitHub, jenkins: str) -> None:
    done = webhook(hub, jenkins, github_api=f"http://127.0.0.1:{free_port()}")
    assert (done.code, "GitHub does not answer" in done.err) == (75, True)


@pytest.mark.parametrize("missing", ["repository", "github_token", "secret"])
def test_a_setting_that_is_missing_is_named(hub: GitHub, jenkins: str, missing: str) -> None:
    done = webhook(hub, jenkins, **{missing: ""})
    assert (done.code, missing in done.err.lower()) == (78, True), done.err


def test_without_an_address_the_tunnel_wants_a_token(hub: GitHub) -> None:
    done = webhook(hub, "")
    assert (done.code, "LIGHTMODEL__WEBHOOK__NGROK_TOKEN" in done.err) == (78, True)
    assert hub.hooks == {}


@pytest.mark.tunnel
def test_ngroks_own_agent_starts_and_its_error_is_translated(hub: GitHub) -> None:
    done = webhook(hub, "", ngrok_token="2abc_never_given_out")
    met = {75: "ngrok's service does not answer", 78: "ngrok refuses"}  # without and with a network
    assert met[done.code] in done.err
    assert "2abc_never_given_out" not in done.err
    assert hub.hooks == {}


@pytest.mark.tunnel
def test_a_refusal_by_ngrok_is_reported_with_its_error_code(hub: GitHub, tmp_path: Path) -> None:
    with ngrok_service(tmp_path) as service:
        ngrok = {"ngrok_server": service.address, "ngrok_ca": str(service.authority)}
        done = webhook(hub, "", ngrok_token="2abc_never_given_out", **ngrok)
    assert (done.code, "ERR_NGROK_105" in done.err) == (78, True), done.err
    assert "LIGHTMODEL__WEBHOOK__NGROK_TOKEN" in done.err
    assert "2abc_never_given_out" not in done.err
    assert hub.hooks == {}


@pytest.mark.tunnel
def test_a_tunnel_lets_only_signed_pushes_through_and_lasts_until_it_is_stopped(
    hub: GitHub, jenkins: str, tmp_path: Path
) -> None:
    with ngrok_service(tmp_path) as service:
        service.url = jenkins  # the tunnel leads to this address
        ngrok = {"ngrok_server": service.address, "ngrok_ca": str(service.authority)}
        with running(
            COMMAND,
            env={**environment(hub, "", ngrok_token=KNOWN, **ngrok), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            printed = list(itertools.takewhile(lambda line: "until" not in line, process.stdout))
            assert "ping was answered" in "".join(printed)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
    rules = [json.loads(opened["Opts"]["TrafficPolicy"]) for opened in service.opened]
    assert rules
    assert all(rule == policy(SECRET, PATH) for rule in rules)


def test_what_compose_lets_through_is_what_the_command_lets_through() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    content = compose["configs"]["traffic-policy"]["content"]
    assert yaml.safe_load(content.replace("${GITHUB_HOOK_SECRET:-}", SECRET)) == policy(
        SECRET, PATH
    )
