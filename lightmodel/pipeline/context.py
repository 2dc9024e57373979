"""What the chain works with, and what its stages tell each other."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from lightmodel.config import Config, TrainSection
from lightmodel.contract.arrays import Codes
from lightmodel.contract.columns import Contract
from lightmodel.errors import LightModelError, QualityGateFailed
from lightmodel.learners.base import FittedModel, Learner, TrainingData
from lightmodel.pipeline.split_files import SplitFiles
from lightmodel.progress.base import Progress
from lightmodel.search.base import Search, Study, StudyPlan, TrialFitter
from lightmodel.search.space import Range, Space
from lightmodel.sources.base import Fetched
from lightmodel.store.fingerprint import what_changed
from lightmodel.store.signing import Signer
from lightmodel.store.versions import Store, Version
from lightmodel.tables.base import TableRead
from lightmodel.tracking.records import RunRecord
from lightmodel.training.checkpoints import Checkpoints


@dataclass(frozen=True)
class Unsatisfying:
    """A training that was not good enough, for a search to begin with.

    Attributes:
        settled: the parameters that it settled on, those that the table decided on among them.
        value: of the deciding metric, out of fold; NaN where it is undefined.
        higher_is_better: of that metric.
    """

    settled: Mapping[str, Any]
    value: float
    higher_is_better: bool


@dataclass(frozen=True)
class Tuning:
    """What a study needs.

    Attributes:
        space: gives what is searched; with True, also what train.parameters names.
        fitter: prepares a table, given what each fold fits and holds out.
        starting_point: gives the values of some ranges that are nearest to a training's parameters.
        study: opens a study, to begin it or to go on with it.
    """

    space: Callable[[Config, bool], Space]
    fitter: Callable[[Config, TrainingData, Sequence[tuple[Codes, Codes]]], TrialFitter]
    starting_point: Callable[[tuple[Range, ...], Mapping[str, Any]], Mapping[str, float]]
    study: Callable[[Config, StudyPlan], Study]


@dataclass(frozen=True)
class Workshop:
    """Everything that a run needs, built by wiring.

    Attributes:
        splits: preprocessed/ of the store.
        models: model/ of the store.
        retries: retries/ of the store: what was tried in place of rejected candidates.
        signer: signs and checks manifests and verdicts.
        fetch: brings the files that the configuration names.
        read: reads them as one table of plain types.
        split_files: writes and reads train and test tables.
        learner: makes the learner that a train section names.
        alternatives: begins a search for other values of train.parameters; None for an estimator
            of which nothing else is known to try.
        tuning: what a study needs.
        compiled: gives the files of a learner's model in compiled form; none where it has none.
        load_model: builds a model from the names of its learner and its payload.
        checkpoints: gives the finished folds of the training with this fingerprint.
        progress: shows work under way.
        record: tells tracking of runs, or by an empty sequence that one will come; never raises.
        mirror: copies what was published to the mirrors; never raises.
        force: run stages though nothing has changed.
        dry_run: only say what would be done.
    """

    config: Config
    splits: Store
    models: Store
    retries: Store
    signer: Signer
    fetch: Callable[[], Fetched]
    read: Callable[[Fetched], TableRead]
    split_files: SplitFiles
    learner: Callable[[TrainSection], Learner]
    alternatives: Callable[[Config, Unsatisfying], Search | None]
    tuning: Tuning
    compiled: Callable[[str, dict[str, Any]], dict[str, bytes]]
    load_model: Callable[[str, dict[str, Any]], FittedModel]
    checkpoints: Callable[[str], Checkpoints]
    progress: Progress
    record: Callable[[Sequence[RunRecord]], None]
    mirror: Callable[[], None]
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a stage did.

    Attributes:
        stage: its name.
        did: "made", "reused", or "would …" in a dry run.
        why: in a few words.
        version: of what it made or found; "" when there is none yet.
        rows: it worked on.
        metric: name and value worth showing.
        rejected: why the candidate was not approved; "" when it was, or when nobody asked.
        report: where the report lies.
        seconds: it took.
    """

    stage: str
    did: str
    why: str
    version: str
    rows: int = 0
    metric: str = ""
    rejected: str = ""
    report: Path | None = None
    seconds: float = 0.0


def timed(work: Callable[[], Outcome]) -> Outcome:
    """Do it, and add the seconds that it took."""
    started = time.perf_counter()
    outcome = work()
    return replace(outcome, seconds=time.perf_counter() - started)


def refusal(tested: Outcome, more: str = "") -> QualityGateFailed:
    """Give the error that goes with a rejected candidate; `more` is a sentence besides."""
    return QualityGateFailed(
        f"{tested.version} is not approved: {tested.rejected} {more}".rstrip(),
        hint=f"the model that is served stays; look at {tested.report}",
    )


@dataclass(frozen=True)
class Pins:
    """The versions that this run has made or found so far; None: not by this run."""

    split: str | None = None
    model: str | None = None

    def with_outcome(self, outcome: Outcome) -> "Pins":
        """Pin what a stage made or found."""
        if outcome.stage == "preprocess":
            return replace(self, split=outcome.version)
        return replace(self, model=outcome.version)


@dataclass(frozen=True)
class Reuse:
    """Whether an earlier version will do, and why, either way."""

    version: Version | None
    why: str


def find_reusable(
    store: Store, key: str, suits: Callable[[Version], bool] = lambda _: True
) -> Reuse:
    """Find the newest whole version with this fingerprint, or say what differs from the newest."""
    versions = store.versions()
    for version in versions:
        if version.manifest.fingerprint != key or not suits(version):
            continue
        try:
            store.verify(version)
        except LightModelError:
            return Reuse(None, f"{version.name} is damaged")
        return Reuse(version, "nothing changed")
    if not versions:
        return Reuse(None, "there is none yet")
    changed = what_changed(versions[0].manifest.fingerprint, key)
    return Reuse(
        None, "another model was approved" if changed == "nothing" else f"{changed} changed"
    )


def read_side(workshop: Workshop, split: Version, side: str, contract: Contract) -> pa.Table:
    """Read train or test rows of a split, after checking their bytes; the other side stays shut."""
    name = side_file(split, side)
    workshop.splits.verify(split, name)
    return workshop.split_files.read(split.file(name), contract)


def side_file(split: Version, side: str) -> str:
    """Name the file of a side, whatever format the split was written in."""
    names: list[str] = list(split.manifest.files)
    return next(name for name in names if name.partition(".")[0] == side)


def shown_number(value: float | None) -> str:
    """Write a metric for people."""
    return "undefined" if value is None or math.isnan(value) else f"{value:.4f}"
