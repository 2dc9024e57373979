"""Stages as processes of their own, and files that tell which runs of a flow are alive.

Prefect's environment imports this module, and has no libraries of light-model: it needs Python alone.
"""

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path

VARIABLE = "LIGHTMODEL_FLOWS"  # of the environment; it holds a Job
TRY_AGAIN, QUALITY_GATE_FAILED = 75, 10
_ENDED_BY_USER = 130
_PR_SET_PDEATHSIG = 1
_SUFFIX = ".run"
_PATIENCE_S = 5.0  # for each of the signals before SIGKILL
ERROR = "error: "
_LAST_LINES = 50
# It is ended when its parent dies, however that happens, and by SIGINT even where that was ignored.
_LAUNCH = """
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class StageFailed(Exception):
    """A stage ended with an exit code other than 0; the message is its last error."""

    def __init__(self, name: str, code: int, message: str) -> None:
        super().__init__(name, code, message)
        self.name = name
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.name}: {self.message} (exit code {self.code})"


@dataclass(frozen=True)
class Job:
    """What processes of Prefect's environment need to know.

    Attributes:
        command: the words before those of a command of light-model.
        environment: variables of the processes of light-model, beside those that are inherited.
        project: the folder in which they run.
        folder: where there is a file for each run of a flow.
        schedules: cron by the name of each flow that is served; "" for none.
        name: of the deployments.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    project: str
    folder: str
    schedules: Mapping[str, str]
    time_zone: str
    name: str
    port: int
    retries: int
    retry_delay_s: float

    def to_json(self) -> str:
        """Return it as text for the environment."""
        return json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> "Job":
        """Return the job of this process."""
        return cls(**json.loads(os.environ[VARIABLE]))


def run_stage(job: Job, name: str, words: Sequence[str], log: Callable[[str], None]) -> None:
    """Run a command of light-model, and pass each line of its output to `log`.

    Raises:
        StageFailed: its exit code is not 0.
    """
    lines: deque[str] = deque(maxlen=_LAST_LINES)
    with _process(job, words, subprocess.STDOUT) as process:
        for raw in process.stdout or ():
            if line := raw.rstrip():
                log(line)
                lines.append(line)
        code = process.wait()
    if code:
        raise StageFailed(name, _shell_code(code), last_error(lines))


def last_error(lines: Sequence[str]) -> str:
    """Return the last error among lines of output, up to its hint; the last line where there is none."""
    starts = [at for at, line in enumerate(lines) if line.startswith(ERROR)]
    if not starts:
        return lines[-1] if lines else "it wrote no message"
    rest = list(lines)[starts[-1] :]
    message = takewhile(lambda line: not line.startswith("hint: "), rest)
    return " ".join(line.strip() for line in message).removeprefix(ERROR)


def read_stage(job: Job, words: Sequence[str]) -> str:
    """Return what a command of light-model prints.

    Raises:
        StageFailed: its exit code is not 0.
    """
    with _process(job, words, subprocess.DEVNULL) as process:
        text = process.stdout.read() if process.stdout else ""
        if code := process.wait():
            raise StageFailed(" ".join(words), _shell_code(code), "see its log")
    return text


def _shell_code(code: int) -> int:
    """Return the exit code of a process as a shell reports it, which cannot be negative."""
    return 128 - code if code < 0 else code


@contextmanager
def _process(job: Job, words: Sequence[str], errors: int) -> Iterator["subprocess.Popen[str]"]:
    """Start a process in a group of its own; at the end of the block, nothing of the group is left."""
    process = subprocess.Popen(  # noqa: S603 — this project's commands
        launcher((*job.command, *words)),
        cwd=job.project,
        env={**os.environ, **job.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        end(process)


def launcher(command: Sequence[str]) -> list[str]:
    """Return the command for a process that ends when this one does, even by SIGKILL."""
    return [sys.executable, "-I", "-c", _LAUNCH, str(os.getpid()), *command]


def end(process: "subprocess.Popen[str]") -> None:
    """End a process that leads a group, as Ctrl-C does if it can, and what is left of the group."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def end_with_parent() -> None:
    """Let this process be terminated when its parent dies, where the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def held_run(folder: Path, run_id: str) -> Iterator[None]:
    """Lock the file of a run, which says that the run is alive, until the block or this process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    path = _file(folder, run_id)
    with suppress(FileNotFoundError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield
        return
    unseen = path.with_suffix(".part")  # nobody may see it before it is locked
    with unseen.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        unseen.rename(path)
        yield


def record_exit(folder: Path, run_id: str, code: int) -> None:
    """Keep the exit code of a run in its file."""
    _file(folder, run_id).write_text(str(code), encoding="utf-8")


def recorded_exit(folder: Path, run_id: str) -> int:
    """Return the exit code of a run; that of an interrupted one where none is recorded."""
    text = _file(folder, run_id).read_text(encoding="utf-8")
    return int(text) if text.isdecimal() else _ENDED_BY_USER


def runs_not_held(folder: Path) -> list[str]:
    """Return the ids of runs whose files no process holds."""
    return [file.stem for file in sorted(folder.glob(f"*{_SUFFIX}")) if not _is_held(file)]


def forget_run(folder: Path, run_id: str) -> None:
    """Remove the file of a run."""
    _file(folder, run_id).unlink(missing_ok=True)


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _file(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}{_SUFFIX}"
