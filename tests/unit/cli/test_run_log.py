"""The log of a run: what its file and the console hold, what it costs, and how `logs` prints it."""

import json
import logging
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lightmodel.cli.run_log import logged_run
from lightmodel.config import load
from lightmodel.errors import DataError, LightModelError
from tests.fakes.command_line import CommandLine
from tests.fakes.project import ROOT, Project
from tests.fakes.waiting import running

SECRET = "hush-hush"
logger = logging.getLogger("lightmodel.test")


@pytest.fixture(autouse=True)
def restored_level() -> Iterator[None]:
    """Restore the level of the root logger."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


def logged(*sets: str, work: Callable[[], object] = bool, **environ: str) -> None:
    """Run some work as a command named `tune`, with a console as the command line adds it."""
    root, console = logging.getLogger(), logging.StreamHandler(sys.stderr)
    root.setLevel(logging.INFO)
    root.addHandler(console)
    try:
        with logged_run(load(sets=sets, environ=environ).config, "tune"):
            work()
    finally:
        root.removeHandler(console)


def files(folder: Path = Path()) -> list[Path]:
    return sorted(folder.glob("logs/*.log"))


def events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def fail(error: Exception) -> Callable[[], None]:
    def work() -> None:
        logger.info("begins", extra={"event": "stage started", "stage": "train"})
        raise error

    return work


def test_each_line_of_a_run_is_an_event_with_run_and_stage(project: Project) -> None:
    ran = project.run("preprocess")
    assert ran.code == 0, ran.err
    (file,) = files(project.folder)
    lines = events(file)
    assert {line["run"] for line in lines} == {file.stem}
    assert [line["stage"] for line in lines] == ["run"] + ["preprocess"] * (len(lines) - 1)
    known = [line for line in lines if "event" in line]
    names = ["run started", "stage started", "stage ended", "run ended"]
    assert [line["event"] for line in known] == names
    assert (known[2]["rows"], known[2]["version"]) == (600, project.splits()[0].name)
    assert 0 < known[2]["seconds"] <= known[3]["seconds"]
    console = ran.err.splitlines()
    assert [line.split()[2:4] for line in console] == [[file.stem, "preprocess"]] * len(lines[1:-1])


def test_an_error_has_its_place_in_the_file_and_only_sentence_and_hint_on_the_console(
    project: Project,
) -> None:
    ran = project.run("preprocess", "--set", "data.source=missing.csv")
    assert ran.code == 65
    (file,) = files(project.folder)
    last = events(file)[-1]
    assert (last["event"], last["level"]) == ("run failed", "error")
    assert (last["stage"], last["kind"]) == ("preprocess", "DataError")
    assert last["file"].startswith("lightmodel/sources/")
    assert last["line"] > 1
    assert "traceback" not in last
    assert "missing.csv" in last["message"]
    assert ran.err.splitlines()[1:] == [f"error: {last['message']}", f"hint: {last['hint']}"]


def test_a_bug_leaves_its_traceback_in_the_file_and_its_place_in_the_hint() -> None:
    with pytest.raises(LightModelError, match="this is a bug") as raised:
        logged(work=fail(ZeroDivisionError("division by zero")))
    (file,) = files()
    assert file.stem in raised.value.hint
    last = events(file)[-1]
    assert (last["stage"], last["kind"]) == ("train", "ZeroDivisionError")
    assert "Traceback (most recent call last)" in last["traceback"]


def test_a_dry_run_leaves_no_log(project: Project) -> None:
    assert project.run("--dry-run").code == 0
    assert not (project.folder / "logs").exists()


def test_the_console_can_be_json_with_the_error_as_its_last_line(project: Project) -> None:
    words = ("--set", "data.source=missing.csv", "--set", "logs.console=json")
    lines = [json.loads(line) for line in project.run("preprocess", *words).err.splitlines()]
    assert [line["stage"] for line in lines] == ["preprocess"] * 2
    assert lines[-1]["level"] == "error"
    assert lines[-1]["hint"]


@pytest.mark.parametrize("form", ["plain", "text", "json"])
def test_no_secret_reaches_console_or_file(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"LIGHTMODEL__STORE__SIGNING_KEY": SECRET, "LIGHTMODEL__LOGS__CONSOLE": form}

    def work() -> None:
        logger.warning("the key is %s", SECRET)
        fail(DataError(f"https://me:{SECRET}@host/table.csv?sig=abc", hint=f"not {SECRET}"))()

    with pytest.raises(DataError):
        logged(work=work, **environ)
    (file,) = files()
    everything = file.read_text(encoding="utf-8") + capsys.readouterr().err
    assert everything.count("the key is ***") == 2
    assert SECRET not in everything
    assert "sig=abc" not in everything


def test_secrets_of_libraries_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    logged(work=lambda: logger.info("it is %s, not false", SECRET))
    assert events(files()[0])[1]["message"] == "it is ***, not false"


def test_a_folder_that_cannot_be_written_costs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    Path("logs").write_text("a file", encoding="utf-8")
    done = []
    logged(work=lambda: done.append(1))
    assert done
    assert "this run has no log: logs: " in caplog.text
    with pytest.raises(ZeroDivisionError):  # whose traceback the console shows then
        logged(work=fail(ZeroDivisionError()))


def test_a_full_disk_costs_one_warning(tmp_path: Path) -> None:
    def allow_200_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

    command = [sys.executable, "-B", "-m", "lightmodel", "reproduce", "nothing"]
    environ = {"PYTHONPATH": str(ROOT), "PATH": ""}
    options = {"cwd": tmp_path, "env": environ, "capture_output": True, "text": True}
    done = subprocess.run(command, check=False, preexec_fn=allow_200_bytes, **options)  # type: ignore[call-overload]
    assert done.returncode == 66, done.stderr
    assert done.stderr.count("cannot be written: File too large") == 1
    assert "Traceback" not in done.stderr


def test_the_logs_of_old_runs_are_deleted_and_nothing_else() -> None:
    Path("logs").mkdir()
    Path("logs", "mine.log").write_text("keep", encoding="utf-8")
    for number in range(4):
        logged("logs.keep=2", work=partial(logger.info, "run %d", number))
    kept = [file for file in files() if file.stem != "mine"]
    assert [events(file)[1]["message"] for file in kept] == ["run 2", "run 3"]
    assert Path("logs", "mine.log").exists()


def test_a_long_log_loses_its_oldest_lines(call: CommandLine) -> None:
    def work() -> None:
        for number in range(3_000):
            logger.info("line %d %s", number, "x" * 500)

    logged("logs.max_mb=1", work=work)
    stored = sum(file.stat().st_size for file in Path("logs").iterdir())
    assert 500_000 < stored <= 1_000_000
    lines = call("logs").out.splitlines()
    numbers = [int(line.partition(" line ")[2].split()[0]) for line in lines[:-1]]
    assert numbers == list(range(numbers[0], 3_000))


def test_two_runs_at_once_do_not_mix(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lightmodel", "reproduce"]
    options = {"cwd": tmp_path, "env": {"PYTHONPATH": str(ROOT), "PATH": ""}, "stderr": -3}
    with ExitStack() as stack:
        started = [
            stack.enter_context(running([*command, name], **options)) for name in ("one", "two")
        ]
        assert [process.wait() for process in started] == [66, 66]
    assert len(files(tmp_path)) == 2
    for file in files(tmp_path):
        assert {event["run"] for event in events(file)} == {file.stem}
        assert [event["event"] for event in events(file)] == ["run started", "run failed"]


def test_a_run_that_is_killed_leaves_lines_that_can_be_read(project: Project) -> None:
    def writes() -> bool:
        return any("stage started" in file.read_text() for file in files(project.folder))

    assert project.kill_when(("preprocess",), writes) == -9
    (file,) = files(project.folder)
    with file.open("a", encoding="utf-8") as log:
        log.write('{"time": "2026')  # as a kill within a line leaves it
    printed = project.tool("logs").out.splitlines()
    assert "preprocess started" in " ".join(printed)
    assert printed[-1] == '{"time": "2026'
    assert "did not end" in project.tool("logs", "--list").out


def test_logs_prints_the_newest_run_or_the_one_that_is_named(call: CommandLine) -> None:
    for name in ("first", "second"):
        logged(work=partial(logger.info, "the %s", name))
    first, second = files()
    assert "the second" in call("logs").out
    assert "the first" in call("logs", first.stem).out
    assert "the first" in call("logs", first.stem[:-2]).out
    assert call("logs", "--json", first.stem).out == first.read_text(encoding="utf-8")
    listed = call("logs", "--list").out.splitlines()
    assert [line.split()[:3] for line in listed] == [
        [file.stem, "tune", "succeeded"] for file in (first, second)
    ]


def test_logs_prints_a_traceback_below_its_event(call: CommandLine) -> None:
    with pytest.raises(LightModelError):
        logged(work=fail(ZeroDivisionError("division by zero")))
    out = call("logs").out
    assert "train      division by zero (ZeroDivisionError at " in out
    assert "\n    Traceback (most recent call last):\n" in out


def test_an_unknown_run_is_an_error(call: CommandLine) -> None:
    nothing = call("logs")
    assert (nothing.code, "no run has a log" in nothing.err) == (66, True)
    for _ in range(2):
        logged()
    for name, message in {"nope": "is named 'nope'", "2": "2 runs begin with '2'"}.items():
        ended = call("logs", name)
        assert (ended.code, message in ended.err, "--list" in ended.err) == (66, True, True)
    assert call("logs", "../x").code == 66
