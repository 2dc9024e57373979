"""What every stage of the chain is given, and what it answers."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from lightmodel.config import Config
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.contract.task import Metric, gate_metric
from lightmodel.errors import ArtefactMissing, QualityGateFailed
from lightmodel.progress import Progress
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import Store, Version, models_of, splits_of
from lightmodel.tables.split_files import read_own
from lightmodel.tracking.uploader import Record, no_tracking

Pins = Mapping[str, str]  # the versions that a run has made or reused so far, by stage
Scored = Mapping[str, float | None]  # metrics by name; None where one is undefined

_ARROW_TYPES = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.CATEGORY: pa.string(),
}


@dataclass(frozen=True)
class RunContext:
    """What a run works with.

    Attributes:
        config: the settings in force.
        progress: shows work under way.
        record: sends runs to tracking, or by an empty sequence announces that one will come; never
            raises.
        force: run stages though nothing has changed.
        dry_run: only report what would be done.
    """

    config: Config
    progress: Progress
    record: Record = no_tracking
    force: bool = False
    dry_run: bool = False

    @cached_property
    def splits(self) -> Store:
        """The store's preprocessed/."""
        return splits_of(self.config)

    @cached_property
    def models(self) -> Store:
        """The store's model/."""
        return models_of(self.config)

    def served(self, besides: str = "") -> Version | None:
        """Return the newest approved model, leaving out the version `besides`; None: there is none."""
        try:
            return newest_approved(self.models, besides={besides})
        except ArtefactMissing:
            return None


@dataclass(frozen=True)
class Outcome:
    """What a stage did.

    Attributes:
        stage: its name.
        did: "made", "reused", or "would …" in a dry run.
        why: in a few words.
        version: of what it made or reused; "" when there is none yet.
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
    """Return the outcome of the work, with the seconds that it took."""
    started = time.perf_counter()
    outcome = work()
    return replace(outcome, seconds=time.perf_counter() - started)


def gate_failure(tested: Outcome, sentence: str = "") -> QualityGateFailed:
    """Return the error that goes with a rejected candidate, its message ended by `sentence`."""
    return QualityGateFailed(
        f"{tested.version} is not approved: {tested.rejected} {sentence}".rstrip(),
        hint=f"the served model is unchanged; see {tested.report}",
    )


def contract_of(split: Version) -> Contract:
    """Return the contract of a split or a model."""
    return Contract.from_dict(split.manifest.contract or {})


def read_split(splits: Store, split: Version, part: str) -> pa.Table:
    """Read the "train" or the "test" rows of a split, in its contract's types; the other stays unopened.

    Raises:
        ArtefactCorrupt: the file is not what was written.
    """
    name = split_file(split, part)
    splits.verify(split, name)
    types = {column.name: _ARROW_TYPES.get(column.type) for column in contract_of(split).columns}
    known = {name: kind for name, kind in types.items() if kind is not None}
    return read_own(split.file(name), "parquet" if name.endswith(".parquet") else "csv", known)


def split_file(split: Version, part: str) -> str:
    """Return the name of a part's file, whatever format the split was written in."""
    return next(name for name in split.manifest.files if name.partition(".")[0] == part)


def deciding_metric(config: Config, split: Version) -> Metric:
    """Return the metric of the gate, by which retries and studies choose as well."""
    return gate_metric(config.gate.metric, contract_of(split).task.kind)


def metric_value(metrics: Scored, metric: Metric) -> float:
    """Return one metric of many; NaN where it is undefined."""
    value = metrics.get(metric.name)
    return math.nan if value is None else value


def format_metric(metrics: Scored, metric: Metric) -> str:
    """Return a metric as "AUC 0.8312", or "AUC undefined"."""
    value = metric_value(metrics, metric)
    return f"{metric.title} {'undefined' if math.isnan(value) else f'{value:.4f}'}"
