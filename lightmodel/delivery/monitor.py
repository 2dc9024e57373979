"""Monitor a service: restart it if it does not answer, and leave it alone if it does."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from lightmodel.config import Config
from lightmodel.delivery.aws import open_function
from lightmodel.delivery.docker_host import open_docker_host
from lightmodel.errors import AlreadyRunning, LightModelError
from lightmodel.files import write_atomic
from lightmodel.notify.events import Notify, Restarted, RolledBack

logger = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 60.0, 3600.0


class MonitoredService(Protocol):
    """A deployed service that can be checked and restarted."""

    @property
    def name(self) -> str:
        """Its name, as messages have it."""
        ...

    def end_abandoned(self) -> str:
        """Undo a deployment that was killed; return how, "" if there is none."""
        ...

    def is_locked(self) -> bool:
        """Return whether a deployment is under way."""
        ...

    def check(self) -> str:
        """Return why the service does not answer; "" if it does."""
        ...

    def restart(self) -> None:
        """Restart the service, and wait until it answers.

        Raises:
            LightModelError: it does not, or cannot be restarted.
        """
        ...


def open_monitor(config: Config, notify: Notify, *, aws: bool = False) -> "Monitor":
    """Return the monitor of the service on the Docker host, or of the function of AWS Lambda.

    Raises:
        SourceUnavailable: no engine answers.
        ConfigError: AWS cannot be used.
    """
    host: MonitoredService = open_function(config) if aws else open_docker_host(config)
    kind = "lambda-" if aws else ""
    state_file = config.store.work / "monitor" / f"{kind}{host.name}.json"
    state_file.parent.mkdir(parents=True, exist_ok=True)
    return Monitor(host, notify, state_file)


@dataclass(frozen=True)
class Incident:
    """An outage: its start, the restarts so far, and the earliest time of the next (Unix time)."""

    since: float
    tries: int = 0
    next_try: float = 0.0


@dataclass(frozen=True)
class Monitor:
    """Checks one service, and restarts it if it does not answer.

    `state_file` keeps an incident from one check, and one process, to the next.
    """

    host: MonitoredService
    notify: Notify
    state_file: Path
    clock: Callable[[], float] = time.time

    def check(self) -> str:
        """Check once, restart what does not answer, and return what is still wrong ("": nothing).

        A deployment that was killed while it watched a version is undone. Restarts are not repeated before
        a growing pause is over.

        Raises:
            SourceUnavailable: the engine or the platform does not answer.
        """
        if ended := self.host.end_abandoned():
            self.notify(RolledBack("the deployment", ended))
        incident = self._read_incident()
        problem = self.host.check()
        if not problem:
            return self._close(incident)
        incident = incident or Incident(self.clock())
        if self.host.is_locked():
            logger.warning("%s; a deployment of the service is under way", problem)
            return problem
        wait = incident.next_try - self.clock()
        if 0 < wait <= _LONGEST_WAIT_S:  # a longer one is of a clock that was wrong
            logger.warning("%s; the next try is in %d s", problem, wait)
            return problem
        return self._restart(incident, problem)

    def _close(self, incident: Incident | None) -> str:
        if incident is not None:
            self.state_file.unlink(missing_ok=True)
            minutes = (self.clock() - incident.since) / 60
            self._notify("answers again", f"after {minutes:.0f} minutes and {incident.tries} tries")
        return ""

    def _restart(self, incident: Incident, problem: str) -> str:
        wait = min(_FIRST_WAIT_S * 2**incident.tries, _LONGEST_WAIT_S)
        incident = Incident(incident.since, incident.tries + 1, self.clock() + wait)
        write_atomic(self.state_file, json.dumps(asdict(incident)).encode())
        if incident.tries == 1:
            self._notify("does not answer", f"{problem}; it is being restarted")
        try:
            self.host.restart()
        except AlreadyRunning as error:
            return error.message
        except LightModelError as error:
            self._notify("could not be restarted", f"{error.message}; next try in {wait:.0f} s")
            return error.message
        return self._close(incident)

    def _notify(self, what: str, details: str) -> None:
        logger.info("%s %s: %s", self.host.name, what, details)
        self.notify(Restarted("the service", what, details))

    def _read_incident(self) -> Incident | None:
        try:
            return TypeAdapter(Incident).validate_json(self.state_file.read_bytes())
        except (OSError, ValueError):  # missing or incomplete
            return None
