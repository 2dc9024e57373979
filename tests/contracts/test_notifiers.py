"""The contract of every notifier: it delivers or warns, in the time allowed, and never raises."""

import email
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
from typing import Any

import pytest

from benchmarks.ports import free_port
from lightmodel.config import load
from lightmodel.notify import Notifier, open_notifier
from tests.fakes.project import ROOT

# apprise warns when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SECRET = "hush-hush"


def notifier(*urls: str, timeout_s: float = 5) -> Notifier:
    environ = {"LIGHTMODEL__NOTIFY__URLS": "\n".join(urls)} if urls else {}
    section = load(None, [f"notify.timeout_s={timeout_s}"], environ).config.notify
    return open_notifier(section.channels, section.timeout_s)


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


def test_without_an_address_the_message_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert notifier().send("title", "body")
    assert "title: body" in caplog.text


@pytest.mark.notify
def test_each_channel_gets_the_message(inbox: tuple[str, list[dict[str, str]]]) -> None:
    url, received = inbox
    assert notifier("# a comment", url, url).send("It broke", "and how")
    assert [(one["title"], one["message"]) for one in received] == [("It broke", "and how")] * 2


@pytest.mark.notify
def test_a_dead_channel_is_a_warning_without_its_secret_and_the_others_get_the_message(
    inbox: tuple[str, list[dict[str, str]]], caplog: pytest.LogCaptureFixture
) -> None:
    url, received = inbox
    dead = f"json://user:{SECRET}@127.0.0.1:{free_port()}/"
    assert not notifier(dead, url).send("It broke", "")
    assert len(received) == 1
    assert "line 1 (json)" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.notify
def test_a_channel_that_hangs_times_out(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert not notifier(f"json://127.0.0.1:{port}/", timeout_s=0.5).send("It broke", "")
    assert "line 1 (json)" in caplog.text


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
def test_mail_arrives(tmp_path: Path) -> None:
    from aiosmtpd.controller import Controller

    got: list[email.message.Message] = []

    class Inbox:
        async def handle_DATA(  # noqa: N802 — the name that aiosmtpd calls
            self, _server: object, _session: object, envelope: Any
        ) -> str:
            got.append(email.message_from_bytes(envelope.content))
            return "250 OK"

    controller = Controller(Inbox(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        url = f"mailto://127.0.0.1:{controller.port}?mode=insecure&from=a@example.org&to=b@example.org"
        done = tool("Build 7", "--body", "see there", folder=tmp_path, LIGHTMODEL__NOTIFY__URLS=url)
    finally:
        controller.stop()
    assert done.returncode == 0, done.stderr
    assert got[0]["Subject"] == "Build 7"
    assert "see there" in str(got[0])


@pytest.mark.notify
def test_the_exit_code_tells_that_a_message_was_not_delivered(tmp_path: Path) -> None:
    dead = f"json://user:{SECRET}@127.0.0.1:{free_port()}/"
    done = tool("It broke", folder=tmp_path, LIGHTMODEL__NOTIFY__URLS=dead)
    assert (done.returncode, "did not accept the message" in done.stderr) == (75, True)
    assert SECRET not in done.stderr + done.stdout


@pytest.mark.notify
def test_an_unknown_kind_of_address_is_named_by_its_line(tmp_path: Path) -> None:
    done = tool("x", folder=tmp_path, LIGHTMODEL__NOTIFY__URLS=f"nonsense://{SECRET}")
    assert (done.returncode, "line 1" in done.stderr) == (78, True)
    assert SECRET not in done.stderr
