"""Define the runs and aliases that are sent to MLflow, and the queue of those not yet sent.

The queue is a folder with one JSON file for each run.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from filelock import FileLock, Timeout
from pydantic import PlainSerializer, TypeAdapter

from lightmodel.errors import AlreadyRunning, ArtefactCorrupt
from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.store.verdict import StoredVerdict
from lightmodel.store.versions import Version

RunKind = Literal["model", "attempt", "study", "trial", "comparison"]
Point = tuple[float, float | None]
AbsolutePath = Annotated[Path, PlainSerializer(Path.absolute)]


@dataclass(frozen=True)
class AliasUpdate:
    """Names the versions that the aliases champion and challenger are to point at.

    Attributes:
        champion: the served version; "" for none.
        challenger: the version that testing rejected last; "" leaves the alias as it is.
        since: UTC, in ISO format; an earlier update never replaces a later one.
    """

    champion: str
    challenger: str
    since: str


@dataclass(frozen=True)
class RunRecord:
    """Describes one run: a tested model, an attempt of a retry, a study, a trial or a comparison.

    Attributes:
        key: identifies the run among all runs of one store; a second record with the same key
            updates the run.
        kind: of the run.
        created, ended: UTC, in ISO format.
        parent: key of the run that this one is a part of; "" for none.
        parameters: nested values are logged under names with dots.
        metrics: name → value.
        curves: metric name → (step, value) pairs. Here as in `metrics`, undefined values are left out.
        system: metric name → (seconds since 1970, value) pairs: the machine's load during the run.
        tags: name → value, to search by.
        files: paths to log with the run; they and `version` are absolute once queued.
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
    system: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: tuple[AbsolutePath, ...] = ()
    version: AbsolutePath | None = None

    @property
    def manifest(self) -> Path | None:
        """The path of the manifest of the model's version, as long as the file exists."""
        path = self.version / "manifest.json" if self.version else None
        return path if path and path.is_file() else None


def model_record(
    version: Version, verdict: StoredVerdict, system: Mapping[str, tuple[Point, ...]] | None = None
) -> RunRecord:
    """Return the record of a tested model: its parameters, metrics and verdict.

    `system` is the machine's load during its run; see `RunRecord`.
    """
    manifest = version.manifest
    return RunRecord(
        key=version.name,
        kind="model",
        created=manifest.created,
        ended=verdict.created,
        parameters=manifest.parameters,
        metrics={
            **{f"oof_{name}": value for name, value in manifest.metrics.items()},
            **{f"test_{name}": value for name, value in verdict.metrics.items()},
            **{f"rows_{name}": float(count) for name, count in manifest.rows.items()},
            "threshold": manifest.threshold,
        },
        curves=_curves(json.loads(version.read("metrics.json"))["folds"]),
        system=system or {},
        tags=_tags(version, verdict),
        version=version.folder,
    )


def _curves(folds: list[dict[str, Any]]) -> dict[str, tuple[Point, ...]]:
    """Return the losses of each fold by round, and the rounds and each metric by fold."""
    curves: dict[str, list[Point]] = {}
    for fold in folds:
        for kind, points in (("valid", fold["curve"]), ("train", fold.get("train_curve", ()))):
            if points:
                name = f"fold_{fold['fold']:02d}/{kind}_loss"
                curves[name] = [(step, value) for step, value in points]
        for name, value in {"rounds": fold["rounds"], **fold["metrics"]}.items():
            curves.setdefault(f"fold/{name}", []).append((fold["fold"], value))
    return {name: tuple(points) for name, points in curves.items()}


def _tags(version: Version, verdict: StoredVerdict) -> Mapping[str, str]:
    manifest = version.manifest
    inputs = manifest.inputs
    tags = {
        "version": version.name,
        "verdict": "approved" if verdict.passed else "rejected",
        "decided_by": verdict.metric,
        "reasons": " · ".join(verdict.reasons),
        "estimator": manifest.parameters.get("learner", {}).get("estimator"),
        "runtime": manifest.runtime,
        "task": (manifest.task or {}).get("kind"),
        "commit": manifest.commit,
        "reason": manifest.reason,
        "fingerprint": manifest.fingerprint,
        "retry_of": inputs.get("retry_of"),
        "data.source": inputs.get("source"),
        "data.sha256": inputs.get("sha256"),
        "data.split": inputs.get("split"),
        "data.train_sha256": inputs.get("train_sha256"),
        "data.test_sha256": inputs.get("test_sha256"),
    }
    return {name: str(value) for name, value in tags.items() if value}


@dataclass(frozen=True)
class PendingRun:
    """A run to log, aliases to set after it, or one of the two.

    Attributes:
        experiment: name of the experiment that the run belongs to.
        model: name of the registered model that the aliases belong to.
        run: to log.
        aliases: to set.
        format: version of the file format.
    """

    experiment: str
    model: str
    run: RunRecord | None = None
    aliases: AliasUpdate | None = None
    format: Literal[2] = 2

    @property
    def title(self) -> str:
        """The kind and key of the run, or the champion, for messages."""
        if self.run:
            return f"{self.run.kind} {self.run.key}"
        return f"champion {(self.aliases and self.aliases.champion) or 'none'}"


@cache
def _json() -> TypeAdapter[PendingRun]:
    return TypeAdapter(PendingRun)  # it takes some milliseconds to build


class Queue:
    """A folder of pending runs, oldest first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, pending: PendingRun) -> Path:
        """Write a pending run atomically, and return the path of its file.

        Raises:
            LightModelError: the folder cannot be written to, or the disk is full.
        """
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
        path = self.folder / f"{stamp}-{secrets.token_hex(3)}.json"
        with translate_os_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, _json().dump_json(pending, indent=1, fallback=str))
        return path

    def files(self) -> list[Path]:
        """Return the files of the pending runs, oldest first."""
        return sorted(self.folder.glob("2*.json"))

    def read(self, path: Path) -> PendingRun:
        """Read a pending run.

        Raises:
            ArtefactCorrupt: the file does not contain one.
        """
        try:
            return _json().validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ArtefactCorrupt(f"{path.name} is not a pending run") from error

    @contextmanager
    def lock(self, timeout_s: float) -> Iterator[None]:
        """Keep other processes from uploading; the lock is released even if the process is killed.

        Raises:
            AlreadyRunning: another process still uploads after `timeout_s` seconds.
        """
        path = self.folder / ".lock"
        try:
            with translate_os_errors(path), FileLock(path, timeout=timeout_s):
                yield
        except Timeout:
            raise AlreadyRunning(
                "another process is uploading to MLflow", hint="wait for it to end"
            ) from None
