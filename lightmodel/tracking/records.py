"""What is sent to MLflow: runs, and which versions the aliases of a registered model point at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import PlainSerializer

RunKind = Literal["model", "attempt", "study", "trial", "comparison"]
Point = tuple[float, float | None]


AbsolutePath = Annotated[Path, PlainSerializer(Path.absolute)]


@dataclass(frozen=True)
class AliasUpdate:
    """Names the versions that the aliases champion and challenger are to point at.

    Attributes:
        champion: version that is served; "" for none.
        challenger: version that testing rejected last; "" leaves the alias as it is.
        since: UTC, in ISO format; an earlier update never replaces a later one.
    """

    champion: str
    challenger: str
    since: str


@dataclass(frozen=True)
class RunRecord:
    """Describes one run: a model that was tested, or something that was tried on the way to one.

    Attributes:
        key: identifies the run among all runs of one store; a second record with the same key
            updates the run.
        kind: what was run.
        created, ended: UTC, in ISO format.
        parent: key of the run that this one is a part of; "" for none.
        parameters: nested values are logged under names with dots.
        metrics: name → value.
        curves: metric name → (step, value) pairs. Here as in `metrics`, undefined values are left out.
        tags: to search by.
        files: to log with the run; they and `version` are absolute once queued.
        version: folder of the model's version, for the kind "model".
    """

    key: str
    kind: RunKind
    created: str
    ended: str
    parent: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    curves: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: tuple[AbsolutePath, ...] = ()
    version: AbsolutePath | None = None

    @property
    def manifest(self) -> Path | None:
        """The manifest of the model's version, as long as that is there."""
        path = self.version / "manifest.json" if self.version else None
        return path if path and path.is_file() else None
