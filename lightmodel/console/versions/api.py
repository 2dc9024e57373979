"""The service's model versions: the list, one whole, and the change of a verdict."""

from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from lightmodel.console.failures import ServiceFailure
from lightmodel.console.formatting import local_time
from lightmodel.console.service_client import Received, ServiceClient, token_headers

Action = Literal["promote", "rollback", "retire"]

_Answer = TypeVar("_Answer", bound=BaseModel)


class MetricValue(Received):
    """A metric on the test rows; versions of earlier releases have no interval."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class DataInfo(Received):
    """The table that a version was trained on."""

    source: str = ""
    sha256: str | None = None


class VersionSummary(Received):
    """What the list says about a version; a damaged one has `error`, and little else."""

    version: str
    status: str
    role: str = ""
    error: str = ""
    created: str = ""
    commit: str | None = None
    reason: str = ""
    learner: str = ""
    task: str | None = None
    target: str | None = None
    rows: dict[str, int] = Field(default_factory=dict)
    data: DataInfo = DataInfo()
    out_of_fold: dict[str, float | None] = Field(default_factory=dict)
    metric: str | None = None
    metrics: dict[str, MetricValue] = Field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    notes: tuple[dict[str, str], ...] = ()
    has_report: bool = False

    @property
    def decisive(self) -> MetricValue:
        """The metric that decided at the quality gate."""
        return self.metrics.get(self.metric or "", MetricValue())

    def label(self, zone: str | None) -> str:
        """Return a short name for people: when it was trained, and the end of its name."""
        return f"{self.trained(zone)} · {self.version.rpartition('-')[2]}"

    def trained(self, zone: str | None) -> str:
        """Return when it was trained, in a time zone; "" if that is not known."""
        try:
            return local_time(datetime.fromisoformat(self.created), zone)
        except ValueError:
            return ""


class Fold(Received):
    """A fold of the cross-validation."""

    fold: int
    rounds: int
    metrics: dict[str, float | None] = Field(default_factory=dict)
    curve: tuple[tuple[float, float], ...] = ()


class VersionDetails(VersionSummary):
    """All that the service knows of a version."""

    settings: dict[str, Any] = Field(default_factory=dict)
    contract: dict[str, Any] | None = None
    threshold: float | None = None
    libraries: dict[str, str] = Field(default_factory=dict)
    folds: tuple[Fold, ...] = ()
    warnings: tuple[str, ...] = ()
    importance: dict[str, float] = Field(default_factory=dict)
    evaluation: dict[str, Any] = Field(default_factory=dict)
    pictures: tuple[str, ...] = ()

    def curve(self, name: str) -> list[tuple[float, float]]:
        """Return a curve of the test rows, such as "roc"; empty if it is not known."""
        points = self.evaluation.get("curves", {}).get(name, [])
        return [(float(x), float(y)) for x, y in points]


class VersionList(Received):
    """The versions of the service's store, newest first, and those in use."""

    served: str = ""
    canary: str = ""
    challenger: str = ""
    versions: tuple[VersionSummary, ...] = ()


def list_versions(client: ServiceClient) -> VersionList:
    """Return the versions of the service's store."""
    return _read(VersionList, client.get_json("models"), client)


def version_details(client: ServiceClient, version: str) -> VersionDetails:
    """Return all that the service knows of a version."""
    return _read(VersionDetails, client.get_json(f"models/{version}"), client)


def version_report(client: ServiceClient, version: str) -> str:
    """Return the report of a version as HTML."""
    return client.get_bytes(f"models/{version}/report").decode("utf-8", "replace")


def change_version(
    client: ServiceClient, token: str, version: str, action: Action, note: dict[str, str]
) -> VersionList:
    """Change a verdict with a note of who and why; return the versions that are in use then."""
    answer = client.post_json(f"models/{version}/{action}", note, **token_headers(token))
    return _read(VersionList, answer, client)


def _read(kind: type[_Answer], content: object, client: ServiceClient) -> _Answer:
    try:
        return kind.model_validate(content)
    except ValidationError:
        raise ServiceFailure(
            f"What answers at {client.address} is not a service that this console knows.",
            hint="Use the same version of the service and the console.",
        ) from None
