"""The section `notify` of `config.toml`: who is notified of what."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, SecretStr

from lightmodel.config.base import Section, redacted_settings

EventName = Literal[
    "started",
    "published",
    "gate_failed",
    "deployed",
    "rolled_back",
    "promoted",
    "drift",
    "quality_fell",
    "restarted",
    "stage_failed",
    "alert",
    "alert_resolved",
    "message",
]


def _without_secrets(urls: tuple[str, ...]) -> tuple[str, ...]:
    if any("${" not in url for url in urls):
        raise ValueError(
            "a URL may hold secrets, so it must come from the environment: write "
            '"${NOTIFY_SLACK}", and set NOTIFY_SLACK there'
        )
    return urls


class Receiver(Section):
    """Who is notified of what: a table [[notify]] for each receiver."""

    urls: Annotated[tuple[str, ...], AfterValidator(_without_secrets)] = Field(
        min_length=1,
        description='URLs of apprise, such as ["${NOTIFY_SLACK}"] or '
        '["mailtos://me:${NOTIFY_PASSWORD}@mail.example.org?to=team@example.org"]: ${NAME} is the value '
        "of this variable of the environment, or the content of the file that NAME_FILE names.",
    )
    events: tuple[EventName, ...] = Field(
        get_args(EventName),
        description="Events of which this receiver is notified; message: those that "
        "`python -m lightmodel notify` sends.",
    )
    timeout_s: float = Field(
        15.0,
        gt=0,
        description="Seconds to wait for each URL, and for all of them at the end of a run.",
    )

    @property
    def shown_urls(self) -> tuple[str, ...]:
        """The URLs as pages and logs may show them."""
        return tuple(map(redacted_settings, self.urls))

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Yield the fields of its text, in which nothing is secret."""
        for name, value in super().__repr_args__():
            yield name, self.shown_urls if name == "urls" else value


class NotifySection(Section):
    """Who is notified of what, and the former settings."""

    receivers: tuple[Receiver, ...] = Field(
        (), repr=False, description="The tables [[notify]] of a settings file, as a list of tables."
    )
    urls: SecretStr | None = Field(
        None, description="Formerly the URLs of one receiver of all events, one per line."
    )
    timeout_s: float = Field(15.0, gt=0, description="Formerly the seconds to wait for these URLs.")
