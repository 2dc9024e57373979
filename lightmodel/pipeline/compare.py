"""Run `compare`: several ways of fitting on the same folds, and the best of them on the test rows, once.

The scores out of fold choose the winner. All that is known of the folds is written before the test rows
are opened, and only the winner is tested on them.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lightmodel.config import TrainSection
from lightmodel.contract.cells import Matrix, Scores
from lightmodel.contract.results import Evaluation
from lightmodel.contract.task import Metric
from lightmodel.errors import ConfigError, DataError
from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.pipeline.context import RunContext, contract_of, deciding_metric, read_split
from lightmodel.pipeline.entries import (
    choose_entries,
    comparison_models,
    read_result,
    remove_other_models,
    train_entries,
)
from lightmodel.pipeline.run_records import comparison_records
from lightmodel.pipeline.testing import evaluate_on_split, open_model, served_version
from lightmodel.search.entries import ComparisonResult, CvResult, Entry, EntryResult, RankedResult
from lightmodel.store.manifest import json_bytes
from lightmodel.store.versions import Version

if TYPE_CHECKING:  # scipy and matplotlib take seconds to import
    from lightmodel.search.ranking import TrainRows
    from lightmodel.training.testing import ModelUnderTest

logger = logging.getLogger(__name__)

PRESENT = "present settings"
_STAMP = "%Y%m%dT%H%M%S%fZ"


def compare(
    context: RunContext, split: Version, only: Sequence[str], limit_s: float, *, ensemble: bool
) -> ComparisonResult:
    """Train entries on the split's folds, side by side, rank them, and write down what came out.

    Args:
        context: of the run; its settings always take part.
        split: to train on.
        only: names of entries; all that suit where there are none.
        limit_s: seconds for each.
        ensemble: blend the best as well.

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
    chosen, absent = choose_entries(split, only)
    entries, _ = with_present(chosen, config.train)
    results = []
    with context.progress.task("comparison", total=len(entries), unit="contenders") as done:
        for one in train_entries(config, split, entries, limit_s):
            results.append(one)
            count = f"{len(results)} of {len(entries)}"
            reason = f": {one.reason}" if one.reason else ""
            logger.info("%s is done (%s)%s", one.entry.name, count, reason)
            done.advance()
    results.sort(key=lambda one: entries.index(one.entry))
    return rank_results(context, split, (*results, *absent), ensemble=ensemble)


def with_present(entries: Sequence[Entry], train: TrainSection) -> tuple[tuple[Entry, ...], str]:
    """Return the entries, the settings in force among them, and the name under which these are."""
    for one in entries:
        if (one.estimator, dict(one.parameters)) == (train.estimator, train.parameters):
            return tuple(entries), one.name
    return (Entry(PRESENT, train.estimator, train.parameters), *entries), PRESENT


def rank_results(
    context: RunContext, split: Version, results: Sequence[EntryResult], *, ensemble: bool
) -> ComparisonResult:
    """Rank the entries that were trained, and write tables and picture into a folder of its own.

    Args:
        context: of the run.
        split: that all were trained on.
        results: how each entry ended.
        ensemble: blend the best as well.

    Raises:
        DataError: none of them finished.
    """
    created, models = datetime.now(UTC), comparison_models(context.config)
    finished = [read_result(models, one.entry, one.version) for one in results if one.version]
    left_out = tuple(one for one in results if not one.version)
    if not finished:
        reasons = "; ".join(f"{one.entry.name}: {one.reason}" for one in left_out)
        raise DataError(f"nothing can be compared: {reasons}", hint="--limit gives more time")
    metric = deciding_metric(context.config, split)
    ranking, blended = _ranked(context, split, finished, metric, ensemble=ensemble)
    _, present = with_present([one.entry for one in results], context.config.train)
    folder = context.config.store.work / "comparisons" / created.strftime(_STAMP)
    compared = ComparisonResult(
        split, metric, ranking, left_out, blended, present, folder, created.isoformat()
    )
    remove_other_models(models, split)
    _write(compared)
    return compared


def _ranked(
    context: RunContext,
    split: Version,
    finished: list[CvResult],
    metric: Metric,
    *,
    ensemble: bool,
) -> tuple[tuple[RankedResult, ...], str]:
    """Rank the entries; a blend joins them only where it is better than all."""
    from lightmodel.search.ranking import blend, rank

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


def _training_rows(context: RunContext, split: Version) -> "TrainRows":
    from lightmodel.search.ranking import TrainRows
    from lightmodel.tables.encode import target_vector
    from lightmodel.training.train import assign_folds

    config, contract = context.config, contract_of(split)
    table = read_split(context.splits, split, "train")
    target = target_vector(table[contract.target.name], contract.task)
    numbers = assign_folds(table, contract, config.train, config.split)
    return TrainRows(contract.task.kind, target, numbers)


def _write(compared: ComparisonResult) -> None:
    from lightmodel.search.comparison_report import as_csv, as_excel, comparison_png

    with translate_os_errors(compared.folder):
        compared.folder.mkdir(parents=True)
    for name, data in (
        ("comparison.csv", as_csv(compared.ranking, compared.left_out, compared.metric)),
        ("comparison.xlsx", as_excel(compared.ranking, compared.left_out, compared.metric)),
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
        "contenders": [
            {
                **{name: getattr(one.result, name) for name in names},
                "behind": one.behind,
                "noise": one.noise,
            }
            for one in compared.ranking
        ],
        "left_out": {one.entry.name: one.reason for one in compared.left_out},
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
    served = served_version(context)
    tested = evaluate_on_split(context, compared.split, prior, candidate, served).evaluation
    evaluation = tested.to_dict()
    kept = {name: evaluation[name] for name in ("rows", "metrics", "dummy", "comparison")}
    content = json_bytes({"winner": winner.name, **kept})
    write_atomic(compared.folder / "winner-on-test-rows.json", content)
    context.record(tuple(comparison_records(compared, tested)))
    return tested


def _open_winner(context: RunContext, winner: CvResult) -> "ModelUnderTest":
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
