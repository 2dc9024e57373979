"""Run `compare`: cross-validate several estimators on the same folds, and rank them.

The out-of-fold scores choose the winner. The test rows are opened only if the user asks for it, after all
results are written, and for the winner alone.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lightmodel.config import TrainSection
from lightmodel.contract.cells import Matrix, Scores
from lightmodel.contract.results import Evaluation
from lightmodel.contract.task import Metric
from lightmodel.errors import ConfigError, DataError
from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.pipeline.context import RunContext, contract_of, deciding_metric, read_split
from lightmodel.pipeline.entries import (
    comparison_models,
    read_result,
    remove_other_models,
    train_entries,
)
from lightmodel.pipeline.spread_entries import train_on_cluster
from lightmodel.pipeline.testing import evaluate_on_split, open_model
from lightmodel.pipeline.training_results import csv_bytes
from lightmodel.search.comparison_report import as_excel, comparison_png, table_rows
from lightmodel.search.entries import CvResult, Entry, RankedResult, choose_entries
from lightmodel.search.parallel import Failure
from lightmodel.search.ranking import TrainRows, blend, rank
from lightmodel.store.manifest import json_bytes
from lightmodel.store.versions import Version
from lightmodel.tables.encode import target_vector
from lightmodel.tracking.records import RunRecord
from lightmodel.training.folds import assign_folds
from lightmodel.training.objective import with_loss
from lightmodel.training.testing import ModelUnderTest
from lightmodel.training.weights import row_weights

logger = logging.getLogger(__name__)

PRESENT = "present settings"
_STAMP = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True)
class ComparisonResult:
    """The result of a comparison, before any test row is read.

    Attributes:
        split: the split that all entries were trained on.
        metric: the deciding metric.
        ranking: all entries that finished, the best first.
        left_out: name of each other entry → the reason why it did not finish.
        blend_note: a sentence on the blend; "" if none was requested.
        present: name of the entry with the settings in force.
        folder: the folder of the comparison's files.
        created: UTC, in ISO format.
    """

    split: Version
    metric: Metric
    ranking: tuple[RankedResult, ...]
    left_out: Mapping[str, str]
    blend_note: str
    present: str
    folder: Path
    created: str

    @property
    def winner(self) -> RankedResult:
        """The best entry."""
        return self.ranking[0]

    def present_result(self) -> RankedResult | None:
        """Return the result of the settings in force, or None if they did not finish."""
        return next((one for one in self.ranking if one.result.name == self.present), None)


def compare(
    context: RunContext, split: Version, only: Sequence[str], limit_s: float, *, ensemble: bool
) -> ComparisonResult:
    """Train entries on the split's folds in parallel, rank them, and write the results.

    The settings in force always take part, with the entries named in `only`, or else all that suit. With
    `ensemble`, the best are blended as well. Each entry may take `limit_s` seconds.

    Raises:
        DataError: no entry finished.
        ConfigError: there is no such entry, or `ensemble` is combined with calibration.
    """
    config = context.config
    if ensemble and config.train.calibration != "none":
        raise ConfigError(
            "--ensemble blends uncalibrated scores, so train.calibration must be none",
            hint="compare with --set train.calibration=none; a blend that wins can be calibrated later",
        )
    kind, rows = contract_of(split).task.kind, split.manifest.rows["train"]
    chosen, unsuited = choose_entries(kind, rows, only)
    entries, present = with_present(chosen, config.train)
    results: dict[str, str | Failure] = {}
    train = train_on_cluster if config.dask.engine == "dask" else train_entries
    with context.progress.task("comparison", total=len(entries), unit="entries") as advance:
        for entry, result in train(config, split, entries, limit_s):
            results[entry.name] = result
            reason = f": {result.reason}" if isinstance(result, Failure) else ""
            logger.info("entry %s: %d of %d done%s", entry.name, len(results), len(entries), reason)
            advance(1)
    trained, left_out = [], {}
    for entry in entries:
        result = results[entry.name]
        if isinstance(result, Failure):
            left_out[entry.name] = result.reason
        else:
            trained.append(read_result(config, entry, result))
    return rank_results(context, split, trained, left_out | unsuited, present, ensemble=ensemble)


def with_present(entries: Sequence[Entry], train: TrainSection) -> tuple[tuple[Entry, ...], str]:
    """Return the entries with the settings in force among them, and the name of that entry."""
    for one in entries:
        if (one.estimator, dict(one.parameters)) == (train.estimator, train.parameters):
            return tuple(entries), one.name
    return (Entry(PRESENT, train.estimator, train.parameters), *entries), PRESENT


def rank_results(
    context: RunContext,
    split: Version,
    trained: Sequence[CvResult],
    left_out: Mapping[str, str],
    present: str,
    *,
    ensemble: bool,
) -> ComparisonResult:
    """Rank the trained entries, and write tables and a picture into a new folder.

    Raises:
        DataError: no entry was trained.
    """
    created = datetime.now(UTC)
    if not trained:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise DataError(f"no learner was trained: {reasons}", hint="raise --limit, or use --only")
    metric = deciding_metric(context.config, split)
    ranking, blended = _ranked(context, split, trained, metric, ensemble=ensemble)
    folder = context.config.store.work / "comparisons" / created.strftime(_STAMP)
    compared = ComparisonResult(
        split, metric, ranking, left_out, blended, present, folder, created.isoformat()
    )
    remove_other_models(context.config, split)
    _write(compared)
    return compared


def _ranked(
    context: RunContext,
    split: Version,
    finished: Sequence[CvResult],
    metric: Metric,
    *,
    ensemble: bool,
) -> tuple[tuple[RankedResult, ...], str]:
    """Rank the entries; a blend joins them only if it is better than all."""
    ranking = rank(finished, metric)
    if not ensemble:
        return ranking, ""
    blended = blend(finished, _training_rows(context, split), metric, context.config.train)
    if blended is None:
        return ranking, "No blend was made: fewer than two entries would have a weight."
    extended = rank([*finished, blended], metric)
    ranked = next(one for one in extended if one.result is blended)
    text = f"The blend {blended.notes[0]} reaches {metric.title} {ranked.mean[metric.name]:.4f}"
    if extended[0] is not ranked:
        return ranking, f"{text}. It is not kept: {extended[0].result.name} alone is no worse."
    return extended, f"{text}. It is kept: it is better than {extended[1].result.name} alone."


def _training_rows(context: RunContext, split: Version) -> TrainRows:
    config, contract = context.config, contract_of(split)
    table = read_split(context.splits, split, "train", config.store.work)
    target = target_vector(table[contract.target.name], contract.task)
    folds = assign_folds(table, contract, config.train, config.split)
    weights = row_weights(table, contract, config.train.weight)
    return TrainRows(with_loss(contract.task, config.train), target, folds.numbers, weights)


def _write(compared: ComparisonResult) -> None:
    with translate_os_errors(compared.folder):
        compared.folder.mkdir(parents=True)
    rows = table_rows(compared.ranking, compared.left_out, compared.metric)
    for name, data in (
        ("comparison.csv", csv_bytes(rows)),
        ("comparison.xlsx", as_excel(rows, compared.metric)),
        ("comparison.png", comparison_png(compared.ranking, compared.metric)),
        ("comparison.json", json_bytes(_summary(compared))),
    ):
        write_atomic(compared.folder / name, data)


def _summary(compared: ComparisonResult) -> dict[str, Any]:
    names = ("name", "estimator", "parameters", "folds", "pooled")
    return {
        "created": compared.created,
        "split": compared.split.name,
        "metric": compared.metric.name,
        "winner": compared.winner.result.name,
        "present": compared.present,
        "blend": compared.blend_note,
        "entries": [
            {
                **{name: getattr(one.result, name) for name in names},
                "behind": one.behind,
                "noise": one.noise,
            }
            for one in compared.ranking
        ],
        "left_out": compared.left_out,
    }


def evaluate_on_test(context: RunContext, compared: ComparisonResult) -> Evaluation:
    """Score the winner on the test rows, beside a dummy and the served model, if any.

    The evaluation is written into the comparison's folder.

    Raises:
        ArtefactCorrupt: the file of test rows does not match its manifest.
    """
    winner = compared.winner.result
    first = comparison_models(context.config).get(winner.versions[0])
    prior = json.loads(first.read("metrics.json"))["prior"]
    candidate = _open_winner(context, winner)
    tested = evaluate_on_split(
        context, compared.split, prior, candidate, context.served()
    ).evaluation
    evaluation = tested.to_dict()
    kept = {name: evaluation[name] for name in ("rows", "metrics", "dummy", "comparison")}
    content = json_bytes({"winner": winner.name, **kept})
    write_atomic(compared.folder / "winner-on-test-rows.json", content)
    return tested


def run_records(compared: ComparisonResult, tested: Evaluation | None) -> Iterator[RunRecord]:
    """Yield the record of a comparison for tracking, and one of each ranked entry as its child.

    `tested` is the winner's result on the test rows, if it was evaluated.
    """
    ended = datetime.now(UTC).isoformat()
    key = f"comparison-{compared.folder.name}"
    yield RunRecord(
        key,
        "comparison",
        compared.created,
        ended,
        parameters={"split": compared.split.name, "metric": compared.metric.name},
        metrics={
            f"test_{name}": item.value for name, item in (tested.metrics if tested else {}).items()
        },
        tags={"winner": compared.winner.result.name},
        files=tuple(sorted(compared.folder.resolve().iterdir())),
    )
    for place, one in enumerate(compared.ranking, 1):
        result = one.result
        yield RunRecord(
            f"{key}/{result.name}",
            "trial",
            compared.created,
            ended,
            parent=key,
            parameters={"estimator": result.estimator, **result.parameters},
            metrics={
                **result.pooled,
                f"{compared.metric.name}_mean": one.mean[compared.metric.name],
                f"{compared.metric.name}_spread": one.spread[compared.metric.name],
                "fit_seconds": result.fit_seconds,
                "row_microseconds": 1e6 * result.row_seconds,
                "bytes": result.size,
            },
            tags={"entry": result.name, "place": str(place)},
        )


def _open_winner(context: RunContext, winner: CvResult) -> ModelUnderTest:
    """Open the winner's model; a blend is assembled from its members' models."""
    models = comparison_models(context.config)
    members = []
    for name in winner.versions:
        version = models.get(name)
        models.verify(version)
        members.append(open_model(context.config, version))
    if not winner.weights:
        return members[0]

    def predict(features: Matrix) -> Scores:
        parts = zip(winner.weights, members, strict=True)
        mean: Scores = sum(weight * one.predict(features) for weight, one in parts)  # type: ignore[assignment]
        return mean

    return replace(members[0], predict=predict, threshold=winner.threshold, version="blend")
