"""Which session may send files with which key, and the answers: one for all sessions of the process."""

import threading
from collections import OrderedDict
from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import cache
from secrets import token_urlsafe
from typing import Any, Literal

from lightmodel.config import ConsoleSection, load
from lightmodel.console.files.answers import Answer, AnswerStore

Purpose = Literal["predict", "feedback"]
_MAX_TICKETS = 10_000
_OWNER = "owner"


@dataclass(frozen=True)
class Ticket:
    """What allows a page to send files of one kind for its session.

    Attributes:
        owner: the session.
        purpose: the path of the service that takes the files.
        key: the key for the service, which no page ever sees.
        classes: the number of columns of probabilities in an answer.
    """

    owner: str
    purpose: Purpose
    key: str
    classes: int = 0


class FileExchange:
    """Tickets and answers; methods are safe to call from any thread."""

    def __init__(self, settings: ConsoleSection) -> None:
        self.settings = settings
        self.answers = AnswerStore(
            settings.folder, settings.max_answers_mb << 20, settings.keep_answers_s
        )
        self._tickets: OrderedDict[str, Ticket] = OrderedDict()
        self._lock = threading.Lock()

    def issue(self, state: MutableMapping[Any, Any], ticket: Ticket) -> str:
        """Return the name of a ticket for a session; the same one as long as nothing of it changes."""
        place = f"ticket-{ticket.purpose}"
        name = str(state.get(place, ""))
        with self._lock:
            if self._tickets.get(name) != ticket:
                self._tickets.pop(name, None)
                name = token_urlsafe(24)
                self._tickets[name] = ticket
                state[place] = name
                while len(self._tickets) > _MAX_TICKETS:
                    self._tickets.popitem(last=False)
            else:
                self._tickets.move_to_end(name)
        return name

    def ticket(self, name: str) -> Ticket | None:
        """Return a ticket by its name; None if there is none, or no more."""
        with self._lock:
            return self._tickets.get(name)

    def answer_of(self, state: MutableMapping[Any, Any], key: str) -> Answer | None:
        """Return a session's own answer; None if it is another's, or no more."""
        answer = self.answers.get(key)
        return answer if answer and answer.owner == owner_of(state) else None


def owner_of(state: MutableMapping[Any, Any]) -> str:
    """Return the name of a session."""
    name: str = state.setdefault(_OWNER, token_urlsafe(16))
    return name


@cache
def file_exchange() -> FileExchange:
    """Return the exchange of this process."""
    return FileExchange(load().config.console)
