"""`POST /train` and `GET /train/<id>`: start and watch a retraining, local or in Jenkins."""

import importlib.util
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock
from flask import Blueprint, Response, jsonify, url_for
from werkzeug.exceptions import Forbidden, NotFound

from lightmodel.config import Config
from lightmodel.errors import AlreadyRunning, NotPossible, SourceUnavailable
from lightmodel.files import write_atomic
from lightmodel.service.security import check_token

if TYPE_CHECKING:  # it is only imported to call Jenkins
    import requests

State = Literal["queued", "running", "approved", "rejected", "failed"]

_STATE_OF_BUILD: dict[str | None, State] = {
    None: "running",
    "SUCCESS": "approved",
    "UNSTABLE": "rejected",
}
_STATE_OF_EXIT: dict[int, State] = {0: "approved", 10: "rejected"}
_TIMEOUT_S = 10
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_STARTUP_TIME = timedelta(minutes=1)
_TAIL_LINES = 20
_TAIL_BYTES = 16 << 10
_SUPERVISE = "from lightmodel.service.retraining import supervise; supervise()"


@dataclass(frozen=True)
class Job:
    """One retraining.

    Attributes:
        state: "rejected" means that the quality gate failed.
        started: the time in UTC, in ISO format.
        ended: likewise; None while it runs.
        exit_code: the exit code of the chain; None while it runs, or if it is not known.
        url: the Jenkins job or build, if there is one.
        last_lines: the last lines of the log.
    """

    id: str
    state: State
    started: str
    ended: str | None = None
    exit_code: int | None = None
    url: str | None = None
    last_lines: tuple[str, ...] = ()


def blueprint(config: Config) -> Blueprint:
    """Return the two routes; both need serve.train_token."""
    routes = Blueprint("retraining", __name__)

    @routes.before_request
    def check() -> None:
        if config.serve.train_token is None:
            raise Forbidden("retraining over HTTP is off; set serve.train_token to turn it on")
        check_token(config.serve.train_token)

    @routes.post("/train")
    def start() -> tuple[Response, int, dict[str, str]]:
        job = retraining_of(config).start()
        return jsonify(asdict(job)), 202, {"Location": url_for("retraining.watch", job_id=job.id)}

    @routes.get("/train/<job_id>")
    def watch(job_id: str) -> Response:
        job = retraining_of(config).find(job_id)
        if job is None:
            raise NotFound("there is no such retraining")
        return jsonify(asdict(job))

    return routes


def retraining_of(config: Config) -> "JenkinsRetraining | ProcessRetraining":
    """Return the retraining by the Jenkins job of serve.jenkins_url, or else by a local process.

    Raises:
        NotPossible: this installation lacks the libraries for training.
    """
    serve = config.serve
    if serve.jenkins_url:
        token = serve.jenkins_token.get_secret_value() if serve.jenkins_token else ""
        return JenkinsRetraining(serve.jenkins_url, serve.jenkins_user, token)
    if any(importlib.util.find_spec(name) is None for name in ("pandas", "sklearn", "matplotlib")):
        raise NotPossible(
            "this installation can serve, but not train",
            hint="set serve.jenkins_url to a Jenkins job that trains",
        )
    command = (sys.executable, "-m", "lightmodel", "run")
    return ProcessRetraining(Path(config.store.work) / "train", command)


@dataclass(frozen=True)
class JenkinsRetraining:
    """Starts builds of the Jenkins job at `url` with a user's API token; Jenkins holds their state."""

    url: str
    user: str
    token: str

    def start(self) -> Job:
        """Start a build.

        Raises:
            AlreadyRunning: a build is queued or running.
            SourceUnavailable: Jenkins does not answer.
        """
        status = self._request("GET", f"{self.url.rstrip('/')}/api/json").json()
        if status.get("inQueue") or (status.get("lastBuild") or {}).get("building"):
            raise AlreadyRunning("the Jenkins job is already running", hint=f"see {self.url}")
        answer = self._request("POST", f"{self.url.rstrip('/')}/build")
        queued = answer.headers.get("Location", "").rstrip("/").rpartition("/")[2]
        return Job(queued or "queued", "queued", datetime.now(UTC).isoformat(), url=self.url)

    def find(self, job_id: str) -> Job | None:
        """Return a job by the number of its queue item, or None if there is no such item."""
        if not job_id.isdigit():
            return None
        top = self.url.partition("/job/")[0]
        answer = self._request("GET", f"{top}/queue/item/{job_id}/api/json", missing=True)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        item: dict[str, Any] = answer.json()
        started = datetime.fromtimestamp(item.get("inQueueSince", 0) / 1000, UTC).isoformat()
        if build := item.get("executable"):
            details = self._request("GET", f"{build['url'].rstrip('/')}/api/json").json()
            outcome = _STATE_OF_BUILD.get(details.get("result"), "failed")
            return Job(job_id, outcome, started, url=build["url"])
        state: State = "failed" if item.get("cancelled") else "queued"
        return Job(job_id, state, started, url=self.url)

    def _request(self, method: str, url: str, *, missing: bool = False) -> "requests.Response":
        import requests

        try:
            answer = requests.request(
                method, url, auth=(self.user, self.token), timeout=_TIMEOUT_S, allow_redirects=False
            )
            if not (missing and answer.status_code == HTTPStatus.NOT_FOUND):
                answer.raise_for_status()
        except requests.RequestException as error:
            status = error.response.status_code if error.response is not None else ""
            raise SourceUnavailable(
                f"Jenkins refused or did not answer: {type(error).__name__} {status}".strip(),
                hint="check serve.jenkins_url, serve.jenkins_user and serve.jenkins_token",
            ) from None
        return answer


@dataclass(frozen=True)
class ProcessRetraining:
    """Runs a command at low priority, with its state and log in a folder; it survives this server."""

    folder: Path
    command: Sequence[str]

    def start(self) -> Job:
        """Start a process.

        Raises:
            AlreadyRunning: one is running, perhaps started by an earlier server.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):
            for path in self.folder.glob("*.json"):
                other = self.find(path.stem)
                if other and other.state == "running":
                    raise AlreadyRunning(
                        f"retraining {other.id} is running",
                        hint=f"follow it with GET /train/{other.id}",
                    )
            now = datetime.now(UTC)
            name = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
            job = Job(name, "running", now.isoformat())
            self._write(job, None)
            with (self.folder / f"{name}.log").open("wb") as log:
                subprocess.Popen(  # noqa: S603 — this project's command
                    [sys.executable, "-c", _SUPERVISE, str(self.folder), name, *self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        return job

    def find(self, job_id: str) -> Job | None:
        """Return a job, also of an earlier server, or None where there is none."""
        if not _ID.fullmatch(job_id):
            return None
        try:
            content: dict[str, Any] = json.loads((self.folder / f"{job_id}.json").read_bytes())
        except (OSError, ValueError):
            return None
        pid = content.pop("pid")
        job = Job(**{**content, "last_lines": self._tail(job_id)})
        died = job.state == "running" and not _is_alive(pid, job)
        return replace(job, state="failed") if died else job

    def supervise(self, job_id: str) -> int:
        """Run the command, record its state before and after, and return its exit code."""
        job = self.find(job_id)
        if job is None:
            return 1
        self._write(job, os.getpid())
        code = subprocess.run(self.command, check=False).returncode  # noqa: S603 — from `start`
        ended = datetime.now(UTC).isoformat()
        self._write(Job(job_id, _STATE_OF_EXIT.get(code, "failed"), job.started, ended, code), None)
        return code

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
    sys.exit(ProcessRetraining(Path(folder), command).supervise(job_id))
