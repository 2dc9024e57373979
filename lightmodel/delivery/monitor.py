"""Watching over a service: what does not answer is started again, what does is left alone."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from lightmodel.config import Config
from lightmodel.delivery.docker_host import DockerHost, open_docker_host
from lightmodel.errors import AlreadyRunning, LightModelError
from lightmodel.files import write_atomic
from lightmodel.notify import Notifier, open_notifier

logger = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 60.0, 3600.0


def open_monitor(config: Config) -> "Monitor":
    """Return what looks after the service on the Docker host.

    Raises:
        SourceUnavailable: no engine answers.
    """
    host = open_docker_host(config)
    memory = config.store.work / "monitor" / f"{config.deploy.name}.json"
    memory.parent.mkdir(parents=True, exist_ok=True)
    notifier = open_notifier(config.notify.channels, config.notify.timeout_s)
    return Monitor(host, notifier, memory)


@dataclass(frozen=True)
class Incident:
    """Since when the service does not answer, and before when it is not tried again, in Unix time."""

    since: float
    tries: int = 0
    next_try: float = 0.0


@dataclass(frozen=True)
class Monitor:
    """Looks at one service, and acts where it does not answer.

    The file `memory` keeps an incident from one look to the next, and from one process to the next.
    """

    host: DockerHost
    notifier: Notifier
    memory: Path
    clock: Callable[[], float] = time.time

    def check(self) -> str:
        """Look once, start what does not answer again, and return what is wrong still, "" for nothing.

        It is not started where that was tried a short while ago.

        Raises:
            SourceUnavailable: no engine answers.
        """
        incident = self._recall()
        wrong = self.host.check()
        if not wrong:
            return self._well(incident)
        incident = incident or Incident(self.clock())
        if self.clock() < incident.next_try:
            logger.warning("%s; the next try is in %d s", wrong, incident.next_try - self.clock())
            return wrong
        return self._restart(incident, wrong)

    def _well(self, incident: Incident | None) -> str:
        if incident is not None:
            self.memory.unlink(missing_ok=True)
            minutes = (self.clock() - incident.since) / 60
            self._tell("answers again", f"after {minutes:.0f} minutes and {incident.tries} tries")
        return ""

    def _restart(self, incident: Incident, wrong: str) -> str:
        wait = min(_FIRST_WAIT_S * 2**incident.tries, _LONGEST_WAIT_S)
        incident = Incident(incident.since, incident.tries + 1, self.clock() + wait)
        write_atomic(self.memory, json.dumps(asdict(incident)).encode())
        if incident.tries == 1:
            self._tell("does not answer", f"{wrong}; it is started again")
        try:
            self.host.restart()
        except AlreadyRunning as error:
            return error.message
        except LightModelError as error:
            self._tell("could not be started again", f"{error.message}; next try in {wait:.0f} s")
            return error.message
        return self._well(incident)

    def _tell(self, what: str, more: str) -> None:
        self.notifier.send(f"{self.host.settings.name} {what}", more)

    def _recall(self) -> Incident | None:
        try:
            return Incident(**json.loads(self.memory.read_text(encoding="ascii")))
        except (OSError, ValueError, TypeError):  # none, or half of one
            return None
