"""Retraining in a process of its own, which outlives the server that started it."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock

from lightmodel.errors import AlreadyRunning
from lightmodel.service.retraining import Job, State

_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_STATES: dict[int, State] = {0: "approved", 10: "rejected"}
_STARTING = timedelta(minutes=1)
_LINES = 20
_TAIL = 16 << 10


class ProcessRetraining:
    """Runs a command at low priority, with its state and log in a folder."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self._folder = folder
        self._command = tuple(command)

    def start(self) -> Job:
        """Start one; see `Retraining`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / ".lock"):
            for path in self._folder.glob("*.json"):
                other = self.find(path.stem)
                if other and other.state == "running":
                    raise AlreadyRunning(
                        f"retraining {other.id} is under way",
                        hint=f"GET /train/{other.id} watches it",
                    )
            now = datetime.now(UTC)
            name = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
            job = Job(name, "running", now.isoformat())
            self._write(job, None)
            supervisor = [sys.executable, "-m", "lightmodel.service.retraining.process"]
            with (self._folder / f"{name}.log").open("wb") as log:
                subprocess.Popen(  # noqa: S603 — this project's command
                    [*supervisor, str(self._folder), name, *self._command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        return job

    def find(self, job_id: str) -> Job | None:
        """Return a job; see `Retraining`."""
        if not _ID.fullmatch(job_id):
            return None
        try:
            content: dict[str, Any] = json.loads((self._folder / f"{job_id}.json").read_bytes())
        except (OSError, ValueError):
            return None
        pid = content.pop("pid")
        job = Job(**{**content, "last_lines": self._tail(job_id)})
        died = job.state == "running" and not _is_alive(pid, job)
        return replace(job, state="failed") if died else job

    def supervise(self, job_id: str) -> int:
        """Run the command to its end, and write down that it runs and how it ended."""
        job = self.find(job_id)
        if job is None:
            return 1
        self._write(job, os.getpid())
        code = subprocess.run(self._command, check=False).returncode  # noqa: S603 — from `start`
        ended = datetime.now(UTC).isoformat()
        self._write(Job(job_id, _STATES.get(code, "failed"), job.started, ended, code), None)
        return code

    def _write(self, job: Job, pid: int | None) -> None:
        content = {**asdict(job), "last_lines": (), "pid": pid}
        part = self._folder / f"{job.id}.part"
        part.write_text(json.dumps(content), encoding="utf-8")
        part.replace(self._folder / f"{job.id}.json")

    def _tail(self, job_id: str) -> tuple[str, ...]:
        try:
            with (self._folder / f"{job_id}.log").open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
                return tuple(log.read().decode(errors="replace").splitlines()[-_LINES:])
        except OSError:
            return ()


def _is_alive(pid: int | None, job: Job) -> bool:
    """Return whether a process runs, and is this job's and not a later one of its number."""
    if pid is None:  # it is about to write down its own
        return datetime.now(UTC) - datetime.fromisoformat(job.started) < _STARTING
    try:
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline")
        return not command.exists() or job.id.encode() in command.read_bytes()
    except OSError:
        return False


if __name__ == "__main__":
    os.nice(10)
    sys.exit(ProcessRetraining(Path(sys.argv[1]), sys.argv[3:]).supervise(sys.argv[2]))
