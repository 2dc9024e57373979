"""The spool is bounded, and a message leaves it when its channel has accepted it."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lightmodel.notify.channels import Channel
from lightmodel.notify.spool import KEPT_S, MOST_MESSAGES, Spool, SpooledMessage, deliver


@dataclass(frozen=True)
class Inbox(Channel):
    """A channel that keeps what it receives, unless it is down; its key is its name in lower case."""

    key: str = field(init=False)
    url: str = ""
    events: frozenset[str] = frozenset()
    timeout_s: float = 1.0
    is_down: bool = False
    tried: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.name.lower())

    def send(self, title: str, body: str) -> bool:
        assert body
        self.tried.append(title)
        return not self.is_down


@pytest.fixture
def spool() -> Spool:
    return Spool(Path("spool"))


def put(spool: Spool, channel: str, *titles: str) -> None:
    for title in titles:
        spool.put(SpooledMessage(channel, title, "body"))


def titles(spool: Spool) -> list[str]:
    return [message.title for path in spool.files() if (message := spool.read(path))]


def test_messages_are_delivered_in_order_and_removed(spool: Spool) -> None:
    put(spool, "a", "first", "second")
    inbox = Inbox("a")
    assert deliver(spool, [inbox]) == set()
    assert (inbox.tried, spool.files()) == (["first", "second"], [])


def test_a_channel_that_is_down_is_tried_once_and_the_others_get_theirs(spool: Spool) -> None:
    put(spool, "down", "first", "second")
    put(spool, "up", "first")
    down, up = Inbox("Down", is_down=True), Inbox("up")
    assert deliver(spool, [down, up]) == {"Down"}
    assert (down.tried, up.tried) == (["first"], ["first"])
    assert titles(spool) == ["first", "second"]
    assert deliver(spool, [Inbox("down")]) == set()
    assert spool.files() == []


def test_after_a_minute_the_rest_waits_for_the_next_command(spool: Spool) -> None:
    put(spool, "slow", "first", "second")
    times = iter((0.0, 0.0, 61.0))
    assert deliver(spool, [Inbox("slow")], lambda: next(times)) == set()
    assert titles(spool) == ["second"]


def test_a_message_for_a_receiver_that_is_gone_stays_for_a_day(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(spool, "gone", "first")
    put(spool, "a", "second")
    assert deliver(spool, [Inbox("a")]) == set()
    assert titles(spool) == ["first"]
    assert spool.holds_any({"gone"})
    assert not spool.holds_any({"a"})
    tomorrow = time.time() + KEPT_S + 1
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    assert deliver(spool, []) == set()
    assert spool.files() == []
    assert "deleted, as nobody accepted it for a day: 'first'" in caplog.text


def test_a_file_that_cannot_be_read_for_now_is_kept(spool: Spool) -> None:
    path = spool.folder / "1.json"
    path.mkdir(parents=True)  # reading it fails, whoever runs the test
    assert spool.read(path) is None
    assert path.exists()


def test_the_newest_messages_are_kept(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    put(spool, "a", *(str(number) for number in range(MOST_MESSAGES + 2)))
    assert titles(spool) == [str(number) for number in range(2, MOST_MESSAGES + 2)]
    assert caplog.messages == ["more than 100 notifications wait: the oldest one is deleted"] * 2


def test_old_and_damaged_messages_are_deleted(spool: Spool) -> None:
    spool.put(SpooledMessage("a", "old", "body", time.time() - KEPT_S - 1))
    put(spool, "a", "new")
    (spool.folder / "1.json").write_text('{"channel": ', encoding="utf-8")
    (spool.folder / "2.json").write_text(json.dumps({"else": 1}), encoding="utf-8")
    assert titles(spool) == ["new"]
    assert len(spool.files()) == 1
