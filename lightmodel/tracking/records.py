"""What is told of a run to whoever keeps track of runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lightmodel.contract.results import Point

RunKind = Literal["model", "attempt", "study", "trial", "comparison"]


@dataclass(frozen=True)
class Destination:
    """Where something that is told belongs: an experiment, and a registered model."""

    experiment: str
    model: str


@dataclass(frozen=True)
class Standing:
    """Which version is served, and which was rejected last; "" for none.

    Attributes:
        champion: name of the version that is served.
        challenger: name of the one that testing rejected last, if that is what is told.
        since: UTC, in ISO format; what was so earlier never replaces what is so later.
    """

    champion: str
    challenger: str
    since: str


@dataclass(frozen=True)
class RunRecord:
    """One run: a model that was tested, or something that was tried on the way to one.

    Attributes:
        key: names it, among all runs of one store; the same key told twice is the same run.
        kind: what was run.
        created, ended: UTC, in ISO format.
        parent: key of the run that this one is a part of; "" for none.
        parameters: that decided on it.
        metrics: name → value; undefined ones are left out.
        curves: metric name → (round, value) pairs.
        tags: for people to search by.
        files: to keep with it, by absolute path.
        version: folder of the model's version, for the kind "model".
    """

    key: str
    kind: RunKind
    created: str
    ended: str
    parent: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    version: Path | None = None
