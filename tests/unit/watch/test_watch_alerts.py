"""Alertmanager's alerts as notifications: over HTTP, each once, and none lost."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from lightmodel.config import Config
from lightmodel.errors import ConfigError
from lightmodel.notify.channels import Channel
from lightmodel.notify.notifier import Notifier, spool_of
from lightmodel.watch.alert_server import MAX_BODY_BYTES, AlertServer
from lightmodel.watch.alerts import STATE_FILE, AlertRelay
from tests.fakes.waiting import wait_until

TOKEN = "hush-hush"


class Team(Channel):
    """A channel that keeps what it accepts."""

    received: list[tuple[str, str]]
    is_down: bool

    @classmethod
    def of(cls, *events: str) -> "Team":
        team = cls("team", "team", "json://nowhere", frozenset(events), 1.0)
        object.__setattr__(team, "received", [])
        object.__setattr__(team, "is_down", False)
        return team

    def send(self, title: str, body: str) -> bool:
        if not self.is_down:
            self.received.append((title, body))
        return not self.is_down

    @property
    def titles(self) -> list[str]:
        return [title for title, _ in self.received]


@pytest.fixture
def team() -> Team:
    return Team.of("alert", "alert_resolved")


@contextmanager
def receiver(team: Team, token: str = "") -> Iterator[str]:
    """Run a receiver in the current folder, and yield its address."""
    config = Config()
    relay = AlertRelay(config, Notifier(config, [team]))
    server = AlertServer("127.0.0.1", 0, relay, token)
    relay.start()
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.close()
        relay.stop(60)


def alert(name: str = "Drift", status: str = "firing", **fields: Any) -> dict[str, Any]:
    return {
        "status": status,
        "fingerprint": f"of-{name}",
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "labels": {"alertname": name, "severity": "warning", "instance": "server:5001"},
        "annotations": {"summary": f"{name} was found", "description": "Look at it."},
        **fields,
    }


def post(address: str, *alerts: dict[str, Any], token: str = "") -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    payload = {"version": "4", "status": "firing", "alerts": alerts, "groupKey": "{}"}
    return requests.post(f"{address}/alerts", json=payload, headers=headers, timeout=60)


def test_an_alert_is_sent_and_its_end_too(team: Team) -> None:
    with receiver(team) as address:
        assert post(address, alert()).status_code == 200
        wait_until(lambda: len(team.received) == 1, "the alert")
        assert post(address, alert(status="resolved")).status_code == 200
        wait_until(lambda: len(team.received) == 2, "its end")
    assert team.received == [
        (
            "light-model: warning: Drift was found",
            "Look at it.\nalert Drift of server:5001",
        ),
        (
            "light-model: resolved: Drift was found",
            "The alert Drift of server:5001 has ended.",
        ),
    ]


def test_what_alertmanager_repeats_is_sent_once_and_what_begins_again_anew(team: Team) -> None:
    again = alert(startsAt="2026-01-02T00:00:00Z")
    with receiver(team) as address:
        post(address, alert())
        post(address, alert(), alert("DiskFull"))
        post(address, alert(), alert("DiskFull", status="resolved"))
        post(address, again, alert("DiskFull", status="resolved"))
        wait_until(lambda: len(team.received) == 4, "four messages")
        page = requests.get(f"{address}/metrics", timeout=60).text
    assert [title.partition(": ")[2] for title in team.titles] == [
        "warning: Drift was found",
        "warning: DiskFull was found",
        "resolved: DiskFull was found",
        "warning: Drift was found",
    ]
    samples = {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(page)
        for one in family.samples
    }
    assert samples == {
        ("lightmodel_notifications_waiting",): 0,
        ("lightmodel_alerts_total", "firing"): 3,
        ("lightmodel_alerts_total", "resolved"): 1,
        ("lightmodel_alerts_total", "repeated"): 3,
    }


def test_after_a_restart_known_alerts_stay_known(team: Team) -> None:
    for _ in range(2):
        with receiver(team) as address:
            assert post(address, alert()).ok
            wait_until(lambda: team.received, "the alert")
    assert len(team.received) == 1


def test_an_alert_of_which_nobody_was_notified_is_sent_once_there_is_a_receiver(team: Team) -> None:
    for receivers in (Team.of("published"), team, team):
        with receiver(receivers) as address:
            for _ in range(2):
                assert post(address, alert()).ok
    wait_until(lambda: team.received, "the alert")
    assert len(team.received) == 1


def test_a_damaged_memory_costs_a_repetition(team: Team) -> None:
    state = Path("var") / STATE_FILE
    for damaged in ("", "[1]", '{"of-Drift": 7}'):
        state.parent.mkdir(exist_ok=True)
        state.write_text(damaged, encoding="utf-8")
        with receiver(team) as address:
            assert post(address, alert()).status_code == 200
    wait_until(lambda: len(team.received) == 3, "three messages")


def test_what_was_not_delivered_is_delivered_after_the_next_start(team: Team) -> None:
    object.__setattr__(team, "is_down", True)
    with receiver(team) as address:
        assert post(address, alert()).status_code == 200
        assert "lightmodel_notifications_waiting 1.0" in requests.get(f"{address}/metrics").text
    assert len(spool_of(Config()).files()) == 1
    object.__setattr__(team, "is_down", False)
    with receiver(team):
        wait_until(lambda: team.received, "the message that was left")
    assert not spool_of(Config()).files()


def test_a_spool_that_cannot_be_written_makes_alertmanager_send_again(team: Team) -> None:
    Path("var").write_text("a file", encoding="utf-8")
    with receiver(team) as address:
        assert post(address, alert()).status_code == 503
        Path("var").unlink()
        assert post(address, alert()).status_code == 200
        wait_until(lambda: team.received, "the alert")


def test_only_receivers_of_alerts_are_notified() -> None:
    team = Team.of("published")
    with receiver(team) as address:
        assert post(address, alert()).ok
    assert (team.received, spool_of(Config()).files()) == ([], [])


def test_texts_are_one_line_and_not_too_long(team: Team) -> None:
    long = alert(annotations={"summary": "a\n" * 9_000, "description": "b" * 9_000})
    bare = {"status": "firing", "fingerprint": "1", "startsAt": "now"}
    with receiver(team) as address:
        post(address, long)
        post(address, bare)
        wait_until(lambda: len(team.received) == 2, "two messages")
    (title, body), (other, _) = team.received
    assert "\n" not in title
    assert len(title) < 250
    assert len(body) < 2_100
    assert other == "light-model: alert: without a name"


def test_with_a_token_only_its_owner_is_heard(team: Team) -> None:
    with receiver(team, TOKEN) as address:
        for wrong in ("", "hush", f"{TOKEN}x", "\u00e4"):
            refused = post(address, alert(), token=wrong)
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert post(address, alert(), token=TOKEN).status_code == 200
        wait_until(lambda: team.received, "the alert")
        assert requests.get(f"{address}/health", timeout=60).json() == {"status": "ok"}
    assert len(team.received) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"version": "4"}',
        b'{"version": "5", "alerts": []}',
        json.dumps({"version": "4", "alerts": [alert(status="odd-value")]}).encode(),
        json.dumps({"version": "4", "alerts": [alert(fingerprint="")]}).encode(),
        json.dumps({"version": "4", "alerts": [alert(labels={"odd-value": 1})]}).encode(),
    ],
)
def test_anything_else_is_answered_with_400(team: Team, body: bytes) -> None:
    with receiver(team) as address:
        answer = requests.post(f"{address}/alerts", data=body, timeout=60)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("this is no webhook of Alertmanager: ")
    assert team.received == []


def test_other_routes_and_methods_are_refused(team: Team) -> None:
    with receiver(team) as address:
        assert requests.get(f"{address}/alerts", timeout=60).status_code == 405
        assert requests.post(f"{address}/health", data=b"", timeout=60).status_code == 405
        assert requests.get(f"{address}/", timeout=60).status_code == 404


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", 411),
        (b"Content-Length: -1\r\n", 411),
        (b"Content-Length: 1e3\r\n", 411),
        (b"Content-Length: %d\r\n" % (MAX_BODY_BYTES + 1), 413),
        (b"Content-Length: 7\r\n", 400),  # and then nothing
    ],
)
def test_a_body_without_length_or_too_long_or_cut_off_is_refused(
    team: Team, head: bytes, status: int
) -> None:
    with receiver(team) as address:
        port = int(address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(b"POST /alerts HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n")
            client.shutdown(socket.SHUT_WR)
            answer = client.makefile("rb").readline()
    assert answer.split()[1] == b"%d" % status


def test_a_client_that_says_nothing_holds_nobody_up(team: Team) -> None:
    with receiver(team) as address:
        port = int(address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as silent:
            silent.sendall(b"POST /alerts HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
            assert post(address, alert()).status_code == 200


def test_an_address_in_use_is_an_error_that_says_what_to_do(team: Team) -> None:
    config = Config()
    relay = AlertRelay(config, Notifier(config, [team]))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} cannot be listened on") as raised:
            AlertServer("127.0.0.1", port, relay, "")
    assert "--port" in raised.value.hint
