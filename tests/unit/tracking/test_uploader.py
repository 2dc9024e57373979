"""Queueing beside a run, and what an upload leaves in the queue."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lightmodel.config import Config
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.tracking import uploader
from lightmodel.tracking.records import PendingRun, Queue, RunRecord
from lightmodel.tracking.uploader import (
    UploadResult,
    queue_of,
    recording,
    registered_model_of,
    sync_aliases,
    upload,
    upload_on_lines,
)

WHEN = "2026-01-02T03:04:05+00:00"


def run(key: str) -> RunRecord:
    return RunRecord(key, "trial", WHEN, WHEN)


def queue_with(folder: Path, *keys: str) -> Queue:
    queue = Queue(folder)
    for key in keys:
        queue.put(PendingRun("trials", "shop", run(key)))
    return queue


def keys_in(queue: Queue) -> list[str]:
    return [queue.read(path).title for path in queue.files()]


class FakeServer:
    """Remembers what it was sent; fails where it is made to."""

    def __init__(self, **failures: Exception) -> None:
        self.sent: list[str] = []
        self.failures = failures

    def send(self, pending: PendingRun) -> None:
        assert pending.run
        if failure := self.failures.get(pending.run.key):
            raise failure
        self.sent.append(pending.run.key)


def test_sent_runs_leave_the_queue_oldest_first(tmp_path: Path) -> None:
    server, queue = FakeServer(), queue_with(tmp_path, "a", "b")
    results = list(upload(queue, server.send, 0))
    assert (server.sent, queue.files()) == (["a", "b"], [])
    assert results == [UploadResult("trial a"), UploadResult("trial b")]


def test_a_refused_run_stays_queued_and_does_not_block_the_others(tmp_path: Path) -> None:
    server = FakeServer(a=ConfigError("no"))
    queue = queue_with(tmp_path, "a", "b")
    refused, accepted = upload(queue, server.send, 0)
    assert (server.sent, keys_in(queue)) == (["b"], ["trial a"])
    assert (refused.title, str(refused.error)) == (queue.files()[0].name, "no")
    assert accepted == UploadResult("trial b")


def test_a_file_that_is_no_pending_run_stays(tmp_path: Path) -> None:
    queue = queue_with(tmp_path, "a")
    (tmp_path / "20000101-rubbish.json").write_text("{")
    refused, accepted = upload(queue, FakeServer().send, 0)
    assert refused.error is not None
    assert accepted.error is None


def test_without_an_answer_every_run_stays_queued(tmp_path: Path) -> None:
    server = FakeServer(b=SourceUnavailable("down"))
    queue = queue_with(tmp_path, "a", "b", "c")
    with pytest.raises(SourceUnavailable):
        list(upload(queue, server.send, 0))
    assert keys_in(queue) == ["trial b", "trial c"]


@pytest.fixture
def at_normal_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "nice", lambda _: 0)  # nobody can raise it again


@pytest.mark.usefixtures("at_normal_priority")
def test_each_line_uploads_what_was_queued_by_then(tmp_path: Path) -> None:
    server, queue = FakeServer(), queue_with(tmp_path, "a")

    class Lines(io.BytesIO):
        def __next__(self) -> bytes:
            line = super().__next__()
            queue.put(PendingRun("trials", "shop", run(line.decode().strip())))
            return line

    for _ in upload_on_lines(queue, server.send, 0, Lines(b"b\nc\n")):
        pass
    assert (server.sent, queue.files()) == (["a", "b", "c"], [])


@pytest.mark.usefixtures("at_normal_priority")
def test_only_a_failure_of_the_last_upload_is_raised(tmp_path: Path) -> None:
    server = FakeServer(a=SourceUnavailable("down"))
    queue = queue_with(tmp_path, "a")
    results = upload_on_lines(queue, server.send, 0, io.BytesIO(b"\n"))
    with pytest.raises(SourceUnavailable):
        next(results)
    assert keys_in(queue) == ["trial a"]


Configured = Callable[..., Config]


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configured:
    monkeypatch.chdir(tmp_path)

    def make(**tracking: object) -> Config:
        return Config.model_validate({"tracking": tracking})

    return make


def test_nothing_is_queued_where_tracking_is_off(configured: Configured) -> None:
    config = configured(uri="none")
    with recording(config) as record:
        record([run("a")])
    sync_aliases(config)
    assert not queue_of(config).folder.exists()


def _stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let a process of a few words stand for the one that uploads."""
    monkeypatch.setattr(uploader, "_COMMAND", (sys.executable, "-c", code))


def test_a_failed_upload_by_the_second_process_is_one_warning(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _stand_in(monkeypatch, "import sys; sys.stdin.read(); sys.exit('error: MLflow is down')")
    config = configured(timeout_s=60)
    with recording(config) as record:
        record([run("a"), run("b")])
    (warning,) = caplog.messages
    assert "MLflow is down; 2 runs remain queued" in warning
    assert keys_in(queue_of(config)) == ["trial a", "trial b"]


def test_a_hanging_process_is_killed_at_the_time_limit(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _stand_in(monkeypatch, "import time; time.sleep(600)")
    with recording(configured(timeout_s=0.2)) as record:
        record([run("a")])
    assert "did not finish within 0.2 s; 1 run remains" in caplog.text


def test_an_announcement_alone_does_not_wait(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _stand_in(monkeypatch, "import time; time.sleep(600)")
    config = configured(timeout_s=600)
    with recording(config) as record:
        record(())
    assert (caplog.messages, queue_of(config).files()) == ([], [])


def test_a_model_is_queued_with_the_aliases_that_follow_it(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(monkeypatch, "")
    config = configured()
    with recording(config) as record:
        record([RunRecord("m", "model", WHEN, WHEN, tags={"verdict": "rejected"})])
    queue = queue_of(config)
    (pending,) = (queue.read(path) for path in queue.files())
    assert pending.aliases
    assert (pending.aliases.champion, pending.aliases.challenger) == ("", "m")


def test_a_folder_that_cannot_be_written_to_is_a_warning(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _stand_in(monkeypatch, "")
    config = configured()
    queue_of(config).folder.parent.write_text("a file where a folder should be")
    with recording(config) as record:
        record([run("a")])
    assert "not every run could be queued" in caplog.text


def test_an_interrupted_run_does_not_wait(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _stand_in(monkeypatch, "import time; time.sleep(600)")
    config = configured(timeout_s=600)

    def interrupted() -> None:
        with recording(config) as record:
            record([run("a")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (caplog.messages, keys_in(queue_of(config))) == ([], ["trial a"])


def test_each_store_has_a_registered_model_of_its_own(configured: Configured) -> None:
    assert registered_model_of(configured()) == "light-model"
    assert registered_model_of(configured(registered_model="shop")) == "shop"
    elsewhere = Config.model_validate({"store": {"root": "a shop"}})
    assert registered_model_of(elsewhere) == "light-model-a-shop"


def test_the_process_of_the_run_never_imports_mlflow() -> None:
    code = (
        "import sys, lightmodel.pipeline, lightmodel.tracking.uploader, lightmodel.tracking.client\n"
        "sys.exit('mlflow' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
