"""Trainings as processes of this machine, with their state and output in a folder."""

import ctypes
import fcntl
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from lightmodel.config.environment import child_environment
from lightmodel.errors import AlreadyRunning
from lightmodel.files import file_lock, translate_os_errors, write_atomic
from lightmodel.watch.jobs import Job, State

_STATE_OF_EXIT: dict[int, State] = {0: "approved", 10: "rejected"}
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_PR_SET_PDEATHSIG = 1
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # one after the other, then SIGKILL
_PATIENCE_S = 60.0  # for which a process may clean up after such a signal
_POLL_S = 0.2
_TAIL_LINES = 20
_TAIL_BYTES = 16 << 10
# The process that is started forks and ends at once: nobody needs to wait for the one that stays.
_SUPERVISE = """
import os
if os.fork():
    os._exit(0)
from lightmodel.watch.process import supervise
supervise()
"""


@dataclass(frozen=True)
class ProcessJobs:
    """Runs a command at low priority, in a process group of its own, so that it survives who started it.

    A job runs as long as a process has its output file open, for that holds the file's lock. So nobody
    needs its process number, which says nothing in another container, and may come to be another's.

    `keep` is the number of jobs whose state and output are kept.
    """

    folder: Path
    command: Sequence[str]
    keep: int = 50

    def start(self, reason: str) -> Job:
        """Start a process; see `TrainingJobs`."""
        with file_lock(self.folder / ".lock"):
            other = self.latest()
            if other and other.is_under_way:
                raise AlreadyRunning(
                    f"training {other.id} is running",
                    hint=f"follow it with GET /train/{other.id}, or `python -m lightmodel logs`",
                )
            self._prune()
            now = datetime.now(UTC)
            job = Job(f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}", "running", now.isoformat())
            job = replace(job, reason=reason)
            self._launch(job)
        return job

    def find(self, job_id: str) -> Job | None:
        """Return a job, also of an earlier process; see `TrainingJobs`."""
        job = self._read(job_id) if _ID.fullmatch(job_id) else None
        return replace(job, last_lines=self._tail(job_id)) if job else None

    def latest(self) -> Job | None:
        """Return the job that started last; see `TrainingJobs`."""
        now = datetime.now(UTC)

        def order(job: Job) -> tuple[bool, bool, datetime]:
            """Order jobs by their start; one of a clock that was wrong counts if it is under way."""
            return job.is_under_way, job.began <= now, job.began

        found = [job for name in self._names() if (job := self._read(name))]
        newest = max(found, key=order, default=None)
        return replace(newest, last_lines=self._tail(newest.id)) if newest else None

    def listed(self) -> list[Job]:
        """Return all jobs that are known, the newest first."""
        return [job for name in reversed(self._names()) if (job := self._read(name))]

    def stop(self, job_id: str) -> None:
        """Ask a running job to end as Ctrl-C does; its supervisor does so, wherever it runs."""
        job = self.find(job_id)
        if job and job.is_under_way:
            write_atomic(self._stop_file(job_id), b"")

    def supervise(self, job_id: str) -> int:
        """Run the command, record its state afterwards, and return its exit code."""
        job = self.find(job_id)
        if job is None:
            return 1
        process = subprocess.Popen(  # noqa: S603 — from `start`
            self.command,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 — this process has one thread
        )
        code = self._wait(process, job_id)
        ended = datetime.now(UTC).isoformat()
        was_stopped = self._stop_file(job_id).exists() and code not in _STATE_OF_EXIT
        state = "stopped" if was_stopped else _STATE_OF_EXIT.get(code, "failed")
        self._write(replace(job, state=state, ended=ended, exit_code=code))
        return code

    def _wait(self, process: "subprocess.Popen[bytes]", job_id: str) -> int:
        """Return the exit code of a process, which is ended when that is asked for."""
        signals = iter(_STOP_SIGNALS)
        next_signal = 0.0
        while True:
            try:
                return process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                if time.monotonic() >= next_signal and self._stop_file(job_id).exists():
                    process.send_signal(next(signals, signal.SIGKILL))
                    next_signal = time.monotonic() + _PATIENCE_S

    def _stop_file(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.stop"

    def _launch(self, job: Job) -> None:
        """Start the process of a job, which inherits its output with the lock."""
        command = [*self.command, *(["--reason", job.reason] if job.reason else [])]
        output = self._output(job.id)
        with translate_os_errors(output), output.open("wb") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            self._write(job)
            subprocess.run(  # noqa: S603 — this project's command
                [sys.executable, "-c", _SUPERVISE, str(self.folder), job.id, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=child_environment({}),
                start_new_session=True,
                check=True,
            )

    def _read(self, job_id: str) -> Job | None:
        """Return a job without its last lines; None if there is none, or its file is damaged."""
        is_running = self._is_running(job_id)  # before its file is read: it may end in between
        try:
            job = _jobs().validate_json((self.folder / f"{job_id}.json").read_bytes())
        except (OSError, ValueError):
            return None
        return replace(job, state="failed") if job.state == "running" and not is_running else job

    def _is_running(self, job_id: str) -> bool:
        try:
            with self._output(job_id).open("rb") as log:
                fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _output(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.log"

    def _names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.json") if _ID.fullmatch(path.stem))

    def _prune(self) -> None:
        """Remove the oldest jobs, so that there is room for one more."""
        for name in self._names()[: -self.keep + 1 or None]:
            for suffix in ("log", "json", "stop"):
                with suppress(OSError):
                    (self.folder / f"{name}.{suffix}").unlink(missing_ok=True)

    def _write(self, job: Job) -> None:
        content = {**asdict(job), "last_lines": ()}
        write_atomic(self.folder / f"{job.id}.json", json.dumps(content).encode())

    def _tail(self, job_id: str) -> tuple[str, ...]:
        try:
            with self._output(job_id).open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
                return tuple(log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:])
        except OSError:
            return ()


@cache
def _jobs() -> TypeAdapter[Job]:
    return TypeAdapter(Job)


def _end_with_parent() -> None:
    """Let this process be terminated when its parent ends, where the system can do that.

    Nobody would learn how the training ends, and an approved one would count as failed. SIGINT ends it
    even if whoever started all this ignores that, as shells let background processes do.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def supervise() -> None:
    """Run a job at low priority in this process; sys.argv holds the folder, the id and the command."""
    os.nice(10)
    folder, job_id, *command = sys.argv[1:]
    sys.exit(ProcessJobs(Path(folder), command).supervise(job_id))
