"""Exit codes, and the commands docs, notify, tune --ranges and tracking."""

import logging
import socket
from pathlib import Path

import pytest

from lightmodel import errors
from lightmodel.cli import BUG, EXIT_CODES, MEANINGS, exit_code
from lightmodel.cli.docs import pages
from lightmodel.config import load
from lightmodel.notify.channels import channels_of
from lightmodel.notify.events import Message
from lightmodel.notify.notifier import Notifier
from tests.fakes.apprise_library import Receivers
from tests.fakes.command_line import CommandLine
from tests.fakes.waiting import wait_until
from tests.unit.delivery.test_monitor import Host


def test_an_error_class_without_an_exit_code_is_a_bug() -> None:
    class UnknownError(errors.LightModelError):
        """An error that EXIT_CODES does not list."""

    assert exit_code(UnknownError("message")) == BUG
    assert exit_code(errors.DataError("message")) == 65


def test_the_errors_page_names_every_code_and_error() -> None:
    page = pages()[Path("docs", "errors.md")]
    for code, meaning in MEANINGS.items():
        assert f"| {code} | {meaning} |" in page
    for error in EXIT_CODES:
        assert f"| `{error.__name__}` |" in page


def test_docs_writes_into_the_current_folder(call: CommandLine) -> None:
    ended = call("docs")
    assert ended.code == 0
    written = [line.removeprefix("written: ") for line in ended.out.splitlines()]
    assert sorted(written) == sorted(map(str, pages()))
    assert all(Path(name).read_text() for name in written)


def test_a_notification_without_a_channel_goes_to_the_log(
    call: CommandLine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert call("notify", "the model drifts", "--body", "in 3 columns").code == 0
    assert "the model drifts" in caplog.text
    assert call("notify").code == 2


def test_alerts_are_not_received_on_a_port_in_use(
    call: CommandLine, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = call("alerts", "--port", str(taken.getsockname()[1]))
    assert ended.code == 78
    assert "cannot be listened on: Address already in use" in ended.err
    assert "nobody is notified" in caplog.text


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_check_of_the_monitor_sends_what_waits(
    call: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receivers = Receivers.in_folder(tmp_path / "library")
    monkeypatch.syspath_prepend(receivers.folder)
    monkeypatch.setenv("PYTHONPATH", receivers.python_path)
    monkeypatch.setenv("NOTIFY_CHAT", "json://host/x")
    monkeypatch.setattr("lightmodel.delivery.monitor.open_docker_host", lambda _: Host())
    Path("config.toml").write_text('[[notify]]\nurls = ["${NOTIFY_CHAT}"]\n', encoding="utf-8")
    config = load().config
    assert Notifier(config, channels_of(config)).put(Message("first", ""))
    checked = call("monitor")
    assert (checked.code, checked.out) == (0, "the service answers\n")
    wait_until(lambda: receivers.inbox, "the message")
    assert receivers.inbox == [("json://host/x", "light-model: first")]


def test_ranges_are_shown_without_a_study(call: CommandLine) -> None:
    ended = call("tune", "--ranges", "--set", "train.parameters={num_leaves = 7}")
    assert ended.code == 0
    assert "learning_rate" in ended.out
    assert "7 (fixed by train.parameters)" in ended.out
    assert not Path("model-development").exists()


def test_an_empty_queue_of_runs_is_reported(call: CommandLine) -> None:
    for command in ("list", "resend"):
        ended = call("tracking", command, "--set", "tracking.uri=sqlite:///mlflow.db")
        assert (ended.code, ended.out) == (0, "the queue is empty\n")
