"""What a receiver did not accept is sent later, by whichever command comes, and shows no secret."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chain.test_watching import watching
from tests.fakes.apprise_library import Receivers
from tests.fakes.project import SETTINGS, Project
from tests.fakes.waiting import wait_until

TOKEN = "xoxb-SECRETTOKEN123456"
URL = f"json://me:{TOKEN}@127.0.0.1/x"
ONLY_LOOK = ("--set", "watch.train_on=[]")


@pytest.fixture
def receivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Receivers:
    """Return the receivers of the project's settings."""
    receivers = Receivers.in_folder(tmp_path / "library")
    monkeypatch.setenv("NOTIFY_CHAT", URL)
    return receivers


def with_a_waiting_message(project: Project, receivers: Receivers) -> None:
    """Let a message wait for a receiver that was down and is up again."""
    project.settings(f'{SETTINGS}\n[[notify]]\nurls = ["${{NOTIFY_CHAT}}"]\n')
    receivers.go_down()
    sent = project.tool("notify", "first", PYTHONPATH=receivers.python_path)
    assert (sent.code, "not accepted: [[notify]] 1, URL 1 (json)" in sent.err) == (75, True)
    receivers.come_up()


@pytest.mark.parametrize("words", [("watch", "--once", *ONLY_LOOK), ("live", "--check")])
def test_a_message_that_waits_is_sent_by_the_next_command(
    approved: Project, receivers: Receivers, words: Sequence[str]
) -> None:
    with_a_waiting_message(approved, receivers)
    done = approved.tool(*words, PYTHONPATH=receivers.python_path)
    assert done.code in {0, 13}, done.err
    wait_until(lambda: receivers.inbox, "the message")
    assert receivers.inbox == [(URL, "light-model: first")]


def test_a_message_that_waits_is_sent_by_a_watcher(approved: Project, receivers: Receivers) -> None:
    with_a_waiting_message(approved, receivers)
    with watching(approved, *ONLY_LOOK, PYTHONPATH=receivers.python_path) as process:
        wait_until(lambda: receivers.inbox, "the message", process=process)


def test_a_token_without_its_scheme_is_shown_by_no_command(
    project: Project, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_CHAT", TOKEN)
    project.settings(f'{SETTINGS}\n[[notify]]\nurls = ["${{NOTIFY_CHAT}}"]\n')
    for words in (("notify", "hi"), ("alerts", "--port", "0")):
        done = project.tool(*words, PYTHONPATH=receivers.python_path)
        assert (done.code, "[[notify]] 1, URL 1\nhint:" in done.err) == (78, True), done.err
        assert TOKEN not in done.out + done.err
