"""Trainings as processes of this machine, with their state and output in a folder."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lightmodel.config.environment import child_environment
from lightmodel.errors import AlreadyRunning
from lightmodel.files import file_lock, translate_os_errors, write_atomic
from lightmodel.watch.jobs import Job, State

_STATE_OF_EXIT: dict[int, State] = {0: "approved", 10: "rejected"}
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_STARTUP_TIME = timedelta(minutes=1)
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
            name = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
            job = Job(name, "running", now.isoformat(), reason=reason)
            self._write(job, None)
            command = [*self.command, *(["--reason", reason] if reason else [])]
            output = self.folder / f"{name}.log"
            with translate_os_errors(output), output.open("wb") as log:
                subprocess.run(  # noqa: S603 — this project's command
                    [sys.executable, "-c", _SUPERVISE, str(self.folder), name, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=child_environment({}),
                    start_new_session=True,
                    check=True,
                )
        return job

    def find(self, job_id: str) -> Job | None:
        """Return a job, also of an earlier process; see `TrainingJobs`."""
        if not _ID.fullmatch(job_id):
            return None
        try:
            content: dict[str, Any] = json.loads((self.folder / f"{job_id}.json").read_bytes())
            pid = content.pop("pid")
            job = Job(**{**content, "last_lines": self._tail(job_id)})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        died = job.state == "running" and not _is_alive(pid, job)
        return replace(job, state="failed") if died else job

    def latest(self) -> Job | None:
        """Return the job that started last; see `TrainingJobs`."""
        found = (self.find(name) for name in reversed(self._names()))
        # of two within a second, the names do not tell which came first
        newest = [job for job, _ in zip((one for one in found if one), range(2), strict=False)]
        return max(newest, key=lambda job: job.started, default=None)

    def supervise(self, job_id: str) -> int:
        """Run the command, record its state before and after, and return its exit code."""
        job = self.find(job_id)
        if job is None:
            return 1
        self._write(job, os.getpid())
        code = subprocess.run(self.command, check=False).returncode  # noqa: S603 — from `start`
        ended = datetime.now(UTC).isoformat()
        state = _STATE_OF_EXIT.get(code, "failed")
        self._write(replace(job, state=state, ended=ended, exit_code=code), None)
        return code

    def _names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.json") if _ID.fullmatch(path.stem))

    def _prune(self) -> None:
        """Remove the oldest jobs, so that there is room for one more."""
        for name in self._names()[: -self.keep + 1 or None]:
            for suffix in ("log", "json"):
                with suppress(OSError):
                    (self.folder / f"{name}.{suffix}").unlink(missing_ok=True)

    def _write(self, job: Job, pid: int | None) -> None:
        content = {**asdict(job), "last_lines": (), "pid": pid}
        write_atomic(self.folder / f"{job.id}.json", json.dumps(content).encode())

    def _tail(self, job_id: str) -> tuple[str, ...]:
        try:
            with (self.folder / f"{job_id}.log").open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
                return tuple(log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:])
        except OSError:
            return ()


def _is_alive(pid: int | None, job: Job) -> bool:
    """Return whether this job's process runs; a later process may have the same number."""
    if pid is None:  # the process has just started, and has not recorded its number yet
        return datetime.now(UTC) - datetime.fromisoformat(job.started) < _STARTUP_TIME
    try:
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline")
        return not command.exists() or job.id.encode() in command.read_bytes()
    except OSError:
        return False


def supervise() -> None:
    """Run a job at low priority in this process; sys.argv holds the folder, the id and the command."""
    os.nice(10)
    folder, job_id, *command = sys.argv[1:]
    sys.exit(ProcessJobs(Path(folder), command).supervise(job_id))
