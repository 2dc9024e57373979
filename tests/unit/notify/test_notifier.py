"""A notifier says whether a message is kept, and tries again what no receiver has accepted."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from lightmodel.config import Config, load
from lightmodel.files import write_atomic
from lightmodel.notify.channels import channels_of
from lightmodel.notify.events import Drift, Message, Published
from lightmodel.notify.notifier import Notifier, spool_of
from tests.fakes.apprise_library import Receivers
from tests.fakes.waiting import wait_until

# What delivers the messages may outlive the notifier, as it may outlive a command.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
SETTINGS = '[[notify]]\nurls = ["${NOTIFY_CHAT}"]\nevents = ["drift", "message"]\ntimeout_s = 120\n'


@pytest.fixture
def receivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Receivers:
    receivers = Receivers.in_folder(tmp_path / "library")
    monkeypatch.syspath_prepend(receivers.folder)
    monkeypatch.setenv("PYTHONPATH", receivers.python_path)
    monkeypatch.setenv("NOTIFY_CHAT", "json://a/x\njson://b/x")
    Path("config.toml").write_text(SETTINGS, encoding="utf-8")
    return receivers


def notifier(clock: Callable[[], float] = lambda: 0.0) -> Notifier:
    config = load().config
    return Notifier(config, channels_of(config), clock)


def test_a_notifier_says_whether_a_message_is_kept_until_it_is_delivered(
    receivers: Receivers, caplog: pytest.LogCaptureFixture
) -> None:
    assert notifier().send_and_wait(Drift(("age",), 600))
    assert [url for url, _ in receivers.inbox] == ["json://a/x", "json://b/x"]
    receivers.go_down()
    assert notifier().send_and_wait(Message("hi", ""))
    assert (
        "not notified yet: [[notify]] 1, URL 1 (json); [[notify]] 1, URL 2 (json);" in caplog.text
    )
    assert not notifier().send_and_wait(Published("2026", "AUC 0.8312"))  # nobody's event
    assert not Notifier(Config(), ()).send_and_wait(Message("hi", ""))


def test_the_messages_of_an_event_are_kept_together_or_not_at_all(
    receivers: Receivers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    written: list[Path] = []

    def write_one(path: Path, content: bytes) -> None:
        if written:
            raise OSError(28, "No space left on device")
        written.append(path)
        write_atomic(path, content)

    monkeypatch.setattr("lightmodel.notify.spool.write_atomic", write_one)
    with caplog.at_level(logging.WARNING):
        assert not notifier().send(Message("hi", ""))
    assert "nobody is notified of 'message'" in caplog.text
    assert (len(written), spool_of(load().config).files()) == (1, [])
    assert receivers.tries == []


def test_what_was_not_accepted_is_tried_again_once_a_minute(receivers: Receivers) -> None:
    now = 0.0
    sender = notifier(lambda: now)
    receivers.go_down()
    sender.send_and_wait(Message("hi", ""))
    assert len(receivers.tries) == 2
    receivers.come_up()
    now = 59.0
    sender.retry()
    now = 60.0
    assert len(spool_of(load().config).files()) == 2
    sender.retry()
    wait_until(lambda: not spool_of(load().config).files(), "the messages")
    assert len(receivers.inbox) == 2


def test_another_command_tries_again_at_once_but_not_for_receivers_of_others(
    receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    receivers.go_down()
    notifier().send_and_wait(Message("hi", ""))
    receivers.come_up()
    Path("config.toml").write_text(SETTINGS.replace("CHAT", "TEAM"), encoding="utf-8")
    monkeypatch.setenv("NOTIFY_TEAM", "json://c/x")
    assert notifier().send_and_wait(Message("for the team", ""))
    notifier().retry()
    assert [url for url, _ in receivers.inbox] == ["json://c/x"]
    Path("config.toml").write_text(SETTINGS, encoding="utf-8")
    monkeypatch.setenv("NOTIFY_CHAT", "jsons://a/x\njsons://b/x")
    notifier().retry()
    wait_until(lambda: not spool_of(load().config).files(), "the messages")
    assert [url for url, _ in receivers.inbox[1:]] == ["jsons://a/x", "jsons://b/x"]
