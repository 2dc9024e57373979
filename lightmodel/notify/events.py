"""The events that are worth a notification, with their templates: what a title and a body say.

No field holds a secret or a value of a table; names of columns, metrics and hints are what is said.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

_MOST_COLUMNS = 5


@dataclass(frozen=True)
class Event:
    """Something that happened; its name is what a receiver subscribes to.

    The templates are filled in with the fields.

    Attributes:
        reason: why the run was started in which it happened; "" if nobody said so.
    """

    name: ClassVar[str]
    title_template: ClassVar[str]
    body_template: ClassVar[str]
    reason: str = field(default="", kw_only=True)

    @property
    def title(self) -> str:
        """One line that says what happened."""
        return self.title_template.format(**vars(self))

    @property
    def body(self) -> str:
        """The details, and what to do; never empty, for apprise sends nothing without a body."""
        text = self.body_template.format(**vars(self)).strip() or self.title
        return f"{text}\nreason: {self.reason}" if self.reason else text


Notify = Callable[[Event], object]


def no_notifications(event: Event) -> None:
    """Discard an event, for nobody is notified."""
    del event


@dataclass(frozen=True)
class Started(Event):
    """A command started that trains, searches or deploys."""

    name = "started"
    title_template = "{command} started"
    body_template = "`python -m lightmodel logs {run}` prints its log."

    command: str
    run: str


@dataclass(frozen=True)
class Published(Event):
    """A new model is approved, and will be served."""

    name = "published"
    title_template = "model {version} is approved"
    body_template = (
        "{metric} on the test rows. `python -m lightmodel models show {version}` prints it."
    )

    version: str
    metric: str


@dataclass(frozen=True)
class GateFailed(Event):
    """The quality gate rejected a candidate."""

    name = "gate_failed"
    title_template = "the quality gate failed; the served model is unchanged"
    body_template = "{message}\nhint: {hint}\n`python -m lightmodel logs {run}` prints the log."

    message: str
    hint: str
    run: str


@dataclass(frozen=True)
class Deployed(Event):
    """Another version of the service answers."""

    name = "deployed"
    title_template = "{version} is deployed"
    body_template = "It answers at {address}."

    version: str
    address: str


@dataclass(frozen=True)
class RolledBack(Event):
    """A version was withdrawn, or a deployment undone."""

    name = "rolled_back"
    title_template = "rolled back: {what}"
    body_template = "{now}"

    what: str
    now: str


@dataclass(frozen=True)
class Promoted(Event):
    """A canary has kept up, and answers all requests now."""

    name = "promoted"
    title_template = "model {version} is promoted"
    body_template = "{why}; it answers all requests now."

    version: str
    why: str


@dataclass(frozen=True)
class Drift(Event):
    """Columns of the answered rows have drifted from training."""

    name = "drift"
    title_template = "the data has drifted in {count} columns"
    body_template = "Of the last {rows:,} rows, these columns differ from training: {shown}."

    columns: tuple[str, ...]
    rows: int

    @property
    def title(self) -> str:
        """The number of columns."""
        return self.title_template.format(count=len(self.columns))

    @property
    def body(self) -> str:
        """The first of the columns, by name."""
        more = ", …" if len(self.columns) > _MOST_COLUMNS else ""
        shown = ", ".join(self.columns[:_MOST_COLUMNS]) + more
        return self.body_template.format(rows=self.rows, shown=shown)


@dataclass(frozen=True)
class QualityFell(Event):
    """The live quality of a model is worse than its bound."""

    name = "quality_fell"
    title_template = "the live quality of {version} has fallen"
    body_template = "{metric} is {value:.4f} on {rows:,} labelled rows; the bound is {bound:.4f}."

    version: str
    metric: str
    value: float
    bound: float
    rows: int


@dataclass(frozen=True)
class Restarted(Event):
    """The monitor met a service that does not answer, or that answers again."""

    name = "restarted"
    title_template = "{service} {what}"
    body_template = "{details}"

    service: str
    what: str
    details: str


@dataclass(frozen=True)
class StageFailed(Event):
    """A stage of a run ended with an error, which is named by its class: its message may quote labels."""

    name = "stage_failed"
    title_template = "{stage} failed: {error}"
    body_template = "hint: {hint}\n`python -m lightmodel logs {run}` prints the log."

    stage: str
    error: str
    hint: str
    run: str


@dataclass(frozen=True)
class Alert(Event):
    """Prometheus has raised an alert, whose rule wrote the texts."""

    name = "alert"
    title_template = "{severity}: {summary}"
    body_template = "{description}\nalert {alert} of {instance}"

    alert: str
    severity: str
    instance: str
    summary: str
    description: str


@dataclass(frozen=True)
class AlertResolved(Event):
    """What an alert was about is over."""

    name = "alert_resolved"
    title_template = "resolved: {summary}"
    body_template = "The alert {alert} of {instance} has ended."

    alert: str
    instance: str
    summary: str


@dataclass(frozen=True)
class Message(Event):
    """A notification that a user has written."""

    name = "message"
    title_template = "{text}"
    body_template = "{details}"

    text: str
    details: str
