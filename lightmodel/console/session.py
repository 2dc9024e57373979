"""What one user's session knows: the service, the key that the user typed, and what it may do."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from lightmodel.config import ConsoleSection
from lightmodel.console.failures import ServiceFailure
from lightmodel.console.service_client import ServiceClient

_KEY = "typed_key"  # it is kept nowhere but in the session
_NEEDS_KEY = "needs_key"


@dataclass(frozen=True)
class ConsoleSession:
    """A session of the console, which each page receives.

    Attributes:
        settings: the section `console`.
        state: what Streamlit keeps for this session alone.
        needs_key: whether the service turns away callers without a key; None if it did not say.
    """

    settings: ConsoleSection
    state: MutableMapping[Any, Any]
    needs_key: bool | None

    @property
    def key(self) -> str:
        """The key for the service: the typed one, or else that of the console."""
        return typed_key(self.state) or console_key(self.settings)

    @property
    def client(self) -> ServiceClient:
        """A client of the service with the session's key."""
        return client_of(self.settings, self.key)

    @property
    def may_change(self) -> bool:
        """Whether this user may change something: with a key of their own, or where none is needed."""
        return self.needs_key is False or bool(typed_key(self.state))


def open_session(settings: ConsoleSection, state: MutableMapping[Any, Any]) -> ConsoleSession:
    """Return a session; the service is asked once whether it needs a key, and again while it is down."""
    if _NEEDS_KEY not in state:
        try:
            state[_NEEDS_KEY] = client_of(settings, "").needs_key()
        except ServiceFailure:
            return ConsoleSession(settings, state, None)
    return ConsoleSession(settings, state, bool(state[_NEEDS_KEY]))


def accept_key(settings: ConsoleSection, state: MutableMapping[Any, Any], key: str) -> None:
    """Keep a key that the user typed, if the service accepts it.

    Raises:
        ServiceFailure: the service does not accept it, or does not answer.
    """
    client_of(settings, key).check_key()
    state[_KEY] = key


def forget_key(state: MutableMapping[Any, Any]) -> None:
    """Forget the key that the user typed."""
    state.pop(_KEY, None)


def typed_key(state: MutableMapping[Any, Any]) -> str:
    """Return the key that the user typed; "" if there is none."""
    return str(state.get(_KEY, ""))


def console_key(settings: ConsoleSection) -> str:
    """Return the console's own key; "" if there is none."""
    return settings.key.get_secret_value() if settings.key else ""


def client_of(settings: ConsoleSection, key: str) -> ServiceClient:
    """Return a client of the service."""
    return ServiceClient(settings.service_url, key, settings.timeout_s)
