"""Where answers are kept, and for how long."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lightmodel.console.files.answers import Answer, AnswerStore
from lightmodel.console.files.summary import Histogram, Summary
from lightmodel.errors import ConfigError
from tests.fakes.project import ROOT
from tests.fakes.waiting import running, wait_until

SUMMARY = Summary(("prediction",), 1, (("1",),), (), 1, 1, 1, Histogram(0, 1, (1,)), False)
OTHER_PROCESS = """
import sys, time
from pathlib import Path
from lightmodel.console.files.answers import AnswerStore
store = AnswerStore(Path(sys.argv[1]), 1000, 60)
store.new_path().write_bytes(b"rows of somebody")
print("ready", flush=True)
time.sleep(600)
"""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def kept(store: AnswerStore, owner: str, size: int = 10) -> Answer:
    path = store.new_path()
    path.write_bytes(b"x" * size)
    answer = Answer(path.name, owner, "a.csv", path, SUMMARY, {}, 1, store.clock(), size)
    store.add(answer)
    return answer


def test_an_answer_is_kept_until_it_is_too_old(tmp_path: Path) -> None:
    clock = Clock()
    store = AnswerStore(tmp_path, 1_000, 60, clock)
    answer = kept(store, "one")
    clock.now = 60
    assert store.get(answer.id) is answer
    clock.now = 61
    assert store.get(answer.id) is None
    assert not answer.path.exists()


def test_the_oldest_answers_make_room(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path, 1_000, 60)
    first, second, third = (kept(store, owner, 400) for owner in ("one", "two", "three"))
    assert store.get(first.id) is None
    assert not first.path.exists()
    assert store.get(second.id) is second
    assert store.get(third.id) is third


def test_a_session_has_one_answer_and_others_keep_theirs(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path, 1_000, 60)
    first, other, second = kept(store, "one"), kept(store, "two"), kept(store, "one")
    assert store.get(first.id) is None
    assert store.get(other.id) is other
    assert store.get(second.id) is second


def test_nobody_else_may_read_the_folder_and_the_end_removes_it(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path / "new", 1_000, 60)
    folder = kept(store, "one").path.parent
    assert folder.stat().st_mode & 0o077 == 0
    store.close()
    assert not folder.exists()


def test_what_a_killed_console_left_is_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OTHER_PROCESS, str(tmp_path)]
    options = {"env": {"PYTHONPATH": str(ROOT)}, "stdout": subprocess.PIPE}
    with running(command, **options) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        AnswerStore(tmp_path, 1_000, 60).close()
        assert list(tmp_path.glob("*/*"))
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: process.returncode is not None, "the end of the process")
        AnswerStore(tmp_path, 1_000, 60).close()
        assert list(tmp_path.glob("*/*")) == []


def test_a_folder_that_cannot_be_written_to_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError) as caught:
        AnswerStore(file / "below", 1_000, 60)
    assert "console.folder" in caught.value.hint
