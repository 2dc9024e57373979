"""Define what every stage of the chain receives and returns."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lightmodel.config import Config
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.contract.task import Metric, gate_metric
from lightmodel.errors import ArtefactMissing, QualityGateFailed
from lightmodel.interruption import raise_if_interrupted
from lightmodel.notify.events import Notify, no_notifications
from lightmodel.progress import Progress, format_seconds
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import Store, Version, models_of, splits_of
from lightmodel.tracking.system_metrics import Curves, no_system_metrics
from lightmodel.tracking.uploader import Record, no_tracking
from lightmodel.training.objective import with_loss

if TYPE_CHECKING:  # most of a run that finds nothing changed would be spent on importing it
    import pyarrow as pa

logger = logging.getLogger(__name__)

Pins = Mapping[str, str]  # the versions that a run has made or reused so far, by stage
Scored = Mapping[str, float | None]  # metrics by name; None where one is undefined


@dataclass(frozen=True)
class RunContext:
    """The settings and services that a run works with.

    Attributes:
        config: the settings in force.
        progress: shows work under way.
        record: sends runs to tracking; an empty sequence announces that one will follow. It never
            raises.
        notify: notifies the receivers of an event. It never raises.
        system_metrics: returns the machine's load since the run began, for tracking.
        reason: why the run was started; "" if nobody said so.
        force: run stages even if nothing has changed.
        dry_run: only report what would be done.
    """

    config: Config
    progress: Progress
    record: Record = no_tracking
    notify: Notify = no_notifications
    system_metrics: Curves = no_system_metrics
    reason: str = ""
    force: bool = False
    dry_run: bool = False

    @cached_property
    def splits(self) -> Store:
        """The store of splits, preprocessed/."""
        return splits_of(self.config)

    @cached_property
    def models(self) -> Store:
        """The store of models, model/."""
        return models_of(self.config)

    def served(self, besides: str = "") -> Version | None:
        """Return the newest approved model other than `besides`; None if there is none."""
        try:
            return newest_approved(self.models, besides={besides})
        except ArtefactMissing:
            return None


@dataclass(frozen=True)
class Outcome:
    """The outcome of a stage.

    Attributes:
        stage: name of the stage.
        did: "made", "reused", or "would …" in a dry run.
        why: the reason, in a few words.
        version: of what it made or reused; "" if there is none yet.
        rows: number of rows that it worked on.
        metric: a metric to show, as "AUC 0.8312".
        rejected: why the candidate was not approved; "" if it was, or was not tested.
        stays_approved: whether it was approved by an earlier test, which a rejection does not undo.
        report: path of the report, if there is one.
        seconds: duration.
    """

    stage: str
    did: str
    why: str
    version: str
    rows: int = 0
    metric: str = ""
    rejected: str = ""
    stays_approved: bool = False
    report: Path | None = None
    seconds: float = 0.0


def timed(stage: str, work: Callable[[], Outcome]) -> Outcome:
    """Do the work of a stage, log its start and end, and return its outcome with the duration.

    Raises:
        KeyboardInterrupt: Ctrl-C came before, and got lost.
    """
    raise_if_interrupted()
    logger.info("%s started", stage, extra={"event": "stage started", "stage": stage})
    started = time.perf_counter()
    outcome = replace(work(), seconds=time.perf_counter() - started)
    facts = {"seconds": round(outcome.seconds, 3), "rows": outcome.rows, "version": outcome.version}
    rows = f", {outcome.rows:,} rows" if outcome.rows else ""
    logger.info(
        "%s: %s (%s) after %s%s",
        *(stage, outcome.did, outcome.why, format_seconds(outcome.seconds), rows),
        extra={"event": "stage ended", "stage": stage, **facts},
    )
    return outcome


def gate_failure(tested: Outcome, sentence: str = "") -> QualityGateFailed:
    """Return the error for a rejected candidate; `sentence` ends its message."""
    verb, hint = "is not approved", f"the served model is unchanged; see {tested.report}"
    if tested.stays_approved:
        verb = "would not be approved now"
        hint = "it was approved before, and stays so; `python -m lightmodel models rollback` withdraws it"
    return QualityGateFailed(
        f"{tested.version} {verb}: {tested.rejected} {sentence}".rstrip(), hint=hint
    )


def contract_of(split: Version) -> Contract:
    """Return the contract of a split or a model."""
    return Contract.from_dict(split.manifest.contract or {})


def read_split(splits: Store, split: Version, part: str) -> "pa.Table":
    """Read the "train" or the "test" rows of a split, in its contract's types, without opening the other.

    Raises:
        ArtefactCorrupt: the file does not match its manifest.
    """
    from lightmodel.tables.split_files import ARROW_TYPES, read_part

    name = split_file(split, part)
    splits.verify(split, name)
    columns = contract_of(split).columns
    # without a format, DATE stands for any kind of time in an id or an ignored column
    known = {
        one.name: ARROW_TYPES[one.type]
        for one in columns
        if one.type is not ColumnType.DATE or one.format
    }
    return read_part(split.file(name), "parquet" if name.endswith(".parquet") else "csv", known)


def split_file(split: Version, part: str) -> str:
    """Return the name of a part's file, whatever format the split was written in."""
    return next(name for name in split.manifest.files if name.partition(".")[0] == part)


def deciding_metric(config: Config, split: Version) -> Metric:
    """Return the metric that decides at the gate, in retries and in studies."""
    return gate_metric(config.gate.metric, with_loss(contract_of(split).task, config.train))


def metric_value(metrics: Scored, metric: Metric) -> float:
    """Return the value of a metric; NaN if it is undefined."""
    value = metrics.get(metric.name)
    return math.nan if value is None else value


def format_metric(metrics: Scored, metric: Metric) -> str:
    """Return a metric as "AUC 0.8312", or "AUC undefined"."""
    value = metric_value(metrics, metric)
    return f"{metric.title} {'undefined' if math.isnan(value) else f'{value:.4f}'}"
