"""What `watch` remembers from one round, and one process, to the next."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from lightmodel.files import write_atomic
from lightmodel.watch.times import Time, TimeOrNever, is_ahead

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """The last training that a trigger has started. Times are in UTC, in ISO format.

    Attributes:
        key: what identified the cause; another one is a new cause.
        tries: number of trainings for this cause.
        next_try: the earliest time of another training for this cause.
        job: id of the last training; "" if it was not started after all.
        ended_well: whether that ended with a verdict, approved or rejected.
    """

    key: str
    tries: int
    next_try: Time
    job: str = ""
    ended_well: bool = False


@dataclass(frozen=True)
class WatchState:
    """The state of a watcher. Times are in UTC, in ISO format, "" for never.

    Attributes:
        job: id of the training that it started and whose end it has not seen yet; "" for none.
        reason: of its last training.
        trained: when the last training started that ended with a verdict.
        measured: when drift and live quality were measured.
        notified: event → version of the model for which it was sent.
        attempts: by trigger.
    """

    job: str = ""
    reason: str = ""
    trained: TimeOrNever = ""
    measured: TimeOrNever = ""
    notified: Mapping[str, str] = field(default_factory=dict)
    attempts: Mapping[str, Attempt] = field(default_factory=dict)


@dataclass(frozen=True)
class StateFile:
    """The file of a state, which is replaced as a whole."""

    path: Path

    def read(self) -> WatchState:
        """Return the state; an empty one, with a warning, in place of a damaged file."""
        try:
            return TypeAdapter(WatchState).validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return WatchState()
        except (OSError, ValueError):
            logger.warning("%s cannot be read; watching begins anew", self.path)
            return WatchState()

    def read_at(self, now: datetime) -> WatchState:
        """Return the state; times after now, of a wrong clock, count as never, with a warning."""
        state = self.read()
        return replace(
            state,
            trained=self._not_ahead("trained", state.trained, now),
            measured=self._not_ahead("measured", state.measured, now),
        )

    def _not_ahead(self, name: str, time: str, now: datetime) -> str:
        if not time or not is_ahead(datetime.fromisoformat(time), now):
            return time
        logger.warning(
            "%s: %s is %s, which is after now, and counts as never: was a clock wrong?",
            *(self.path, name, time),
        )
        return ""

    def write(self, state: WatchState) -> None:
        """Replace the state.

        Raises:
            StorageFull, ConfigError: it cannot be written.
        """
        write_atomic(self.path, json.dumps(asdict(state), indent=1).encode())
