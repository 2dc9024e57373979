"""The contract of every notifier: it delivers or warns, in the time allowed, and never raises."""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.ports import free_port
from lightmodel.config import Config, load
from lightmodel.notify.events import Event, Message, Published
from lightmodel.notify.notifier import open_notifier, spool_of
from tests.fakes.mail import PASSWORD, mail_server
from tests.fakes.project import ROOT, SETTINGS, Project

# apprise warns when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SECRET = "hush-hush"
TABLE = """
[[notify]]
urls = ["${NOTIFY_TEST}"]
"""


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield the address of a webhook and the list of messages that it receives."""
    received: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://user:{SECRET}@127.0.0.1:{server.server_port}/", received
    server.shutdown()
    server.server_close()


def config(monkeypatch: pytest.MonkeyPatch, *urls: str, more: str = "timeout_s = 60") -> Config:
    """Return settings with one receiver."""
    monkeypatch.setenv("NOTIFY_TEST", "\n".join(urls))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    Path("config.toml").write_text(f"{TABLE}\n{more}\n", encoding="utf-8")
    return load().config


def send(settings: Config, event: Event) -> None:
    notifier = open_notifier(settings)
    notifier.send(event)
    notifier.wait()


def dead() -> str:
    return f"json://user:{SECRET}@127.0.0.1:{free_port()}/"


def test_without_a_receiver_nothing_is_kept_or_started() -> None:
    send(Config(), Message("It broke", "and how"))
    assert list(Path().iterdir()) == []


@pytest.mark.notify
def test_each_channel_gets_the_message(
    inbox: tuple[str, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, received = inbox
    send(config(monkeypatch, "# a comment", url, url), Message("It broke", "and how"))
    messages = [(one["title"], one["message"]) for one in received]
    assert messages == [("light-model: It broke", "and how")] * 2
    assert not list(Path("var", "notify").glob("*.json"))


@pytest.mark.notify
def test_a_receiver_gets_the_events_that_it_has_chosen(
    inbox: tuple[str, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, received = inbox
    settings = config(monkeypatch, url, more='events = ["published"]\ntimeout_s = 60')
    send(settings, Message("It broke", ""))
    send(settings, Published("2026", "AUC 0.8312"))
    assert [one["title"] for one in received] == ["light-model: model 2026 is approved"]


@pytest.mark.notify
def test_a_dead_channel_is_a_warning_without_its_secret_and_the_next_command_tries_again(
    inbox: tuple[str, list[dict[str, str]]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, received = inbox
    settings = config(monkeypatch, dead(), url)
    send(settings, Message("It broke", ""))
    assert len(received) == 1
    assert "not notified yet: [[notify]] 1, URL 1 (json); they are tried again" in caplog.text
    (waiting,) = spool_of(settings).files()
    assert SECRET not in caplog.text + waiting.read_text(encoding="utf-8")
    monkeypatch.setenv("NOTIFY_TEST", f"{url}\n{url}")
    assert open_notifier(load().config).deliver() == set()
    assert len(received) == 2
    assert not waiting.exists()


@pytest.mark.notify
def test_a_channel_that_hangs_times_out(tmp_path: Path) -> None:
    text = f"{TABLE}timeout_s = 0.2\n"
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"json://127.0.0.1:{silent.getsockname()[1]}/"
        done = tool("It broke", folder=tmp_path, NOTIFY_TEST=url)
        later = tool("--spooled", folder=tmp_path, NOTIFY_TEST=url)
    assert [one.returncode for one in (done, later)] == [75, 75]
    assert "not accepted: [[notify]] 1, URL 1 (json)" in done.stderr


@pytest.mark.notify
def test_a_run_does_not_wait_longer_for_a_channel_than_its_timeout(tmp_path: Path) -> None:
    """A second process imports apprise, which takes longer than this timeout; it ends by itself."""
    text = f"{TABLE}timeout_s = 0.001\n"
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "NOTIFY_TEST": dead()}
    command = [sys.executable, "-m", "lightmodel", "reproduce", "nothing"]
    options = {"cwd": tmp_path, "env": environ, "capture_output": True, "text": True}
    done = subprocess.run(command, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 66
    assert "not notified yet: [[notify]] 1, URL 1 (json)" in done.stderr
    assert [*(tmp_path / "var" / "notify").glob("*.json")]


def test_a_spool_that_cannot_be_written_costs_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("apprise")
    Path("var").write_text("a file", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        send(config(monkeypatch, dead()), Message("It broke", ""))
    assert "nobody is notified of 'message'" in caplog.text


def tool(*words: str, folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "lightmodel", "notify", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.notify
def test_the_exit_code_tells_that_a_message_was_not_delivered(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(TABLE, encoding="utf-8")
    done = tool("It broke", folder=tmp_path, NOTIFY_TEST=dead())
    assert (done.returncode, "URL 1 (json)" in done.stderr) == (75, True), done.stderr
    assert SECRET not in done.stderr + done.stdout


@pytest.mark.notify
def test_the_former_setting_still_sends_with_a_warning(
    inbox: tuple[str, list[dict[str, str]]], tmp_path: Path
) -> None:
    url, received = inbox
    done = tool("Build 7", "--body", "see there", folder=tmp_path, LIGHTMODEL__NOTIFY__URLS=url)
    assert done.returncode == 0, done.stderr
    assert "notify.urls was renamed to the tables [[notify]]" in done.stderr
    assert [one["message"] for one in received] == ["see there"]


@pytest.mark.notify
@pytest.mark.parametrize("url", [f"nonsense://{SECRET}", SECRET, f"{SECRET}://host"])
def test_an_unknown_kind_of_address_is_named_by_its_number(tmp_path: Path, url: str) -> None:
    (tmp_path / "config.toml").write_text(TABLE, encoding="utf-8")
    done = tool("x", folder=tmp_path, NOTIFY_TEST=url)
    assert (done.returncode, "[[notify]] 1, URL 1\n" in done.stderr) == (78, True), done.stderr
    assert SECRET not in done.stderr


@pytest.mark.notify
def test_a_mail_tells_of_success_and_one_of_failure(project: Project) -> None:
    with mail_server(project.folder) as server:
        project.settings(f"{SETTINGS}\n{server.settings}timeout_s = 60\n")
        good = project.run(**server.environ)
        assert good.code == 0, good.err
        titles = ["light-model: run started", f"light-model: model {project.models()[0].name} is"]
        subjects = [str(mail["Subject"]).replace("\n", "") for mail in server.received]
        assert [
            subject[: len(title)] for subject, title in zip(subjects, titles, strict=True)
        ] == titles
        assert "AUC 0." in str(server.received[1])
        bad = project.run("--set", "data.source=missing.csv", **server.environ)
    assert bad.code == 65
    failure = server.received[-1]
    assert failure["Subject"] == "light-model: preprocess failed: DataError"
    assert "python -m lightmodel logs 2026" in str(failure).replace("=\n", "")
    logs = "".join(file.read_text() for file in (project.folder / "logs").iterdir())
    assert PASSWORD not in good.err + bad.err + logs
