"""Run `compare`: several ways of fitting on the same folds, and the best of them on the test rows, once.

The scores out of fold choose the winner. All that is known of the folds is written before the test rows
are opened, and only the winner is tested on them.
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
from lightmodel.pipeline.testing import evaluate_on_split, open_model
from lightmodel.pipeline.train import csv_bytes
from lightmodel.search.comparison_report import as_excel, comparison_png, table_rows
from lightmodel.search.entries import CvResult, Entry, RankedResult, choose_entries
from lightmodel.search.parallel import Failure
from lightmodel.search.ranking import TrainRows, blend, rank
from lightmodel.store.manifest import json_bytes
from lightmodel.store.versions import Version
from lightmodel.tables.encode import target_vector
from lightmodel.tracking.records import RunRecord
from lightmodel.training.testing import ModelUnderTest
from lightmodel.training.train import assign_folds

logger = logging.getLogger(__name__)

PRESENT = "present settings"
_STAMP = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True)
class ComparisonResult:
    """The result of a comparison, before any test row was read.

    Attributes:
        split: the version that all entries were trained on.
        metric: the metric that decides.
        ranking: all entries that finished, the best first.
        left_out: why the others did not finish, by their names.
        blended: a sentence on the blend; "" where none was asked for.
        present: name of the entry with the settings in force.
        folder: where the comparison's files lie.
        created: UTC, in ISO format.
    """

    split: Version
    metric: Metric
    ranking: tuple[RankedResult, ...]
    left_out: Mapping[str, str]
    blended: str
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
    """Train entries on the split's folds, side by side, rank them, and write down what came out.

    The settings in force always take part, beside the entries named in `only`, or all that suit. With
    `ensemble`, the best are blended as well.

    Raises:
        DataError: none of them finished.
        ConfigError: there is no such entry, or a blend is asked for where probabilities are calibrated.
    """
    config = context.config
    if ensemble and config.train.calibration != "none":
        raise ConfigError(
            "--ensemble weighs scores as the models give them, and train.calibration corrects them",
            hint="compare with --set train.calibration=none; a blend that wins can be calibrated then",
        )
    kind, rows = contract_of(split).task.kind, split.manifest.rows["train"]
    chosen, absent = choose_entries(kind, rows, only)
    entries, present = with_present(chosen, config.train)
    answers: dict[str, str | Failure] = {}
    with context.progress.task("comparison", total=len(entries), unit="entries") as advance:
        for entry, answer in train_entries(config, split, entries, limit_s):
            answers[entry.name] = answer
            reason = f": {answer.reason}" if isinstance(answer, Failure) else ""
            logger.info("%s is done (%d of %d)%s", entry.name, len(answers), len(entries), reason)
            advance(1)
    trained, left_out = [], {}
    for entry in entries:
        answer = answers[entry.name]
        if isinstance(answer, Failure):
            left_out[entry.name] = answer.reason
        else:
            trained.append(read_result(config, entry, answer))
    return rank_results(context, split, trained, left_out | absent, present, ensemble=ensemble)


def with_present(entries: Sequence[Entry], train: TrainSection) -> tuple[tuple[Entry, ...], str]:
    """Return the entries, the settings in force among them, and the name under which these are."""
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
    """Rank the entries that were trained, and write tables and picture into a folder of its own.

    Raises:
        DataError: there are none.
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
    """Rank the entries; a blend joins them only where it is better than all."""
    alone = rank(finished, metric)
    if not ensemble:
        return alone, ""
    mixed = blend(finished, _training_rows(context, split), metric, context.config.train)
    if mixed is None:
        return alone, "No blend of the best is of use: one of them gets all the weight."
    both = rank([*finished, mixed], metric)
    ranked = next(one for one in both if one.result is mixed)
    words = f"The blend {mixed.notes[0]} reaches {metric.title} {ranked.mean[metric.name]:.4f}"
    if both[0] is not ranked:
        return alone, f"{words}, not better than {both[0].result.name} alone: it is not kept."
    return both, f"{words}: better than {both[1].result.name} alone, so it is kept."


def _training_rows(context: RunContext, split: Version) -> TrainRows:
    config, contract = context.config, contract_of(split)
    table = read_split(context.splits, split, "train")
    target = target_vector(table[contract.target.name], contract.task)
    numbers = assign_folds(table, contract, config.train, config.split)
    return TrainRows(contract.task.kind, target, numbers)


def _write(compared: ComparisonResult) -> None:
    with translate_os_errors(compared.folder):
        compared.folder.mkdir(parents=True)
    rows = table_rows(compared.ranking, compared.left_out, compared.metric)
    for name, data in (
        ("comparison.csv", csv_bytes(rows)),
        ("comparison.xlsx", as_excel(rows, compared.metric)),
        ("comparison.png", comparison_png(compared.ranking, compared.metric)),
        ("comparison.json", json_bytes(_facts(compared))),
    ):
        write_atomic(compared.folder / name, data)


def _facts(compared: ComparisonResult) -> dict[str, Any]:
    names = ("name", "estimator", "parameters", "folds", "pooled")
    return {
        "created": compared.created,
        "split": compared.split.name,
        "metric": compared.metric.name,
        "winner": compared.winner.result.name,
        "present": compared.present,
        "blend": compared.blended,
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
    """Score the winner on the test rows, beside a dummy and the model that is served now, if any.

    What came out is written beside the comparison, and both are sent to tracking.

    Raises:
        ArtefactCorrupt: the test rows are not what was written.
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
    context.record(tuple(_run_records(compared, tested)))
    return tested


def _run_records(compared: ComparisonResult, tested: Evaluation) -> Iterator[RunRecord]:
    """Yield the run of a comparison, and one for each entry as a part of it."""
    ended = datetime.now(UTC).isoformat()
    key = f"comparison-{compared.folder.name}"
    yield RunRecord(
        key,
        "comparison",
        compared.created,
        ended,
        parameters={"split": compared.split.name, "metric": compared.metric.name},
        metrics={f"test_{name}": item.value for name, item in tested.metrics.items()},
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
    """Open the winner's model; a blend is put together from its members' models."""
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
