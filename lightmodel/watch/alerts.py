"""Turn the alerts that Alertmanager posts into notifications, each of them once.

An alert is accepted once its messages are in the spool, so neither a receiver that is down nor an end of
this process loses it: Alertmanager sends again what was not accepted, and the spool what was not delivered.
"""

import json
import logging
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lightmodel.config import Config
from lightmodel.errors import DataError, LightModelError
from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.notify.events import Alert, AlertResolved, Event
from lightmodel.notify.notifier import Notifier, spool_of

logger = logging.getLogger(__name__)

STATE_FILE = "alerts.json"
_MOST_KNOWN = 1_000
_LONGEST_LINE, _LONGEST_TEXT = 200, 2_000  # characters of a rule's texts that are sent
_DELIVERY_INTERVAL_S = 60.0  # between two tries to deliver what no receiver has accepted yet

_Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class PostedAlert(BaseModel):
    """An alert as Alertmanager's webhook has it; other fields are not read."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    status: Literal["firing", "resolved"]
    fingerprint: _Key
    started: _Key = Field(alias="startsAt")
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    def event(self) -> Event:
        """Return what the receivers are notified of."""
        alert = _line(self.labels.get("alertname", "")) or "without a name"
        instance = _line(self.labels.get("instance", "")) or "the service"
        summary = _line(self.annotations.get("summary", "")) or alert
        if self.status == "resolved":
            return AlertResolved(alert, instance, summary)
        severity = _line(self.labels.get("severity", "")) or "alert"
        description = self.annotations.get("description", "")[:_LONGEST_TEXT]
        return Alert(alert, severity, instance, summary, description)


class _Payload(BaseModel):
    """The body of a request of Alertmanager's webhook, whose fourth version is the only one so far."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    version: Literal["4"]
    alerts: tuple[PostedAlert, ...] = Field(max_length=_MOST_KNOWN)


def parse_alerts(body: bytes) -> tuple[PostedAlert, ...]:
    """Return the alerts of a request's body.

    Raises:
        DataError: it is not what Alertmanager's webhook sends; the message quotes none of it.
    """
    try:
        return _Payload.model_validate_json(body).alerts
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {first['msg']}" if place else str(first["msg"])
        raise DataError(f"this is no webhook of Alertmanager: {reason}") from None


class AlertRelay:
    """Notifies the receivers of alerts, and remembers in a file which are known already.

    Alertmanager repeats all alerts of a group whenever one of them changes, and after its repeat_interval.
    """

    def __init__(self, config: Config, notifier: Notifier) -> None:
        self._notifier, self._spool = notifier, spool_of(config)
        self._file = config.store.work / STATE_FILE
        self._known = _read_known(self._file)
        self._lock = threading.Lock()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep_delivering, name="deliver", daemon=True)
        self.counts = Counter({"firing": 0, "resolved": 0, "repeated": 0})

    @property
    def waiting(self) -> int:
        """The number of messages that were not delivered yet."""
        return len(self._spool.files())

    def receive(self, alerts: tuple[PostedAlert, ...]) -> None:
        """Keep the messages of the alerts that are new; they are delivered in the background.

        Raises:
            StorageFull, ConfigError: the spool cannot be written.
        """
        with self._lock:
            for alert in alerts:
                self._keep(alert)
        self._wake.set()

    def start(self) -> None:
        """Deliver in the background, first what an earlier process has left."""
        self._wake.set()
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the delivery that is under way; what is left is delivered after the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout_s)

    def _keep(self, alert: PostedAlert) -> None:
        state = [alert.status, alert.started]
        if self._known.get(alert.fingerprint) == state:
            self.counts["repeated"] += 1
            return
        event = alert.event()
        has_receivers = self._notifier.put(event)
        # Only now: a message may be sent twice after a crash, and is never lost.
        self._known.pop(alert.fingerprint, None)
        self._known[alert.fingerprint] = state
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        if has_receivers:  # else one that is added later shall be notified after the next start
            self._write_known()
        self.counts[alert.status] += 1
        logger.warning("%s", event.title)

    def _write_known(self) -> None:
        with translate_os_errors(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._file, json.dumps(self._known).encode())

    def _keep_delivering(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(_DELIVERY_INTERVAL_S)
            self._wake.clear()
            try:
                failed = self._notifier.deliver() if self.waiting else ()
            except (LightModelError, OSError) as error:
                logger.warning("notifications wait in the spool: %s", error)
                continue
            if failed:
                logger.warning("not accepted, tried again later: %s", "; ".join(sorted(failed)))


def _read_known(file: Path) -> dict[str, list[str]]:
    """Return the status and start of each known alert by fingerprint; a damaged file costs repetitions."""
    with suppress(OSError, ValueError):
        known = json.loads(file.read_bytes())
        if isinstance(known, dict):
            return known
    return {}


def _line(text: str) -> str:
    """Return a text as one line that is not too long."""
    return " ".join(text.split())[:_LONGEST_LINE]
