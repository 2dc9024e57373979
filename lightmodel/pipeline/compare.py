"""Run `compare`: several ways of fitting on the same folds, and the best of them on the test rows, once.

The scores out of fold choose the winner. All that is known of the folds is written before the test rows
are opened, and only the winner meets them.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from lightmodel.config import TrainSection
from lightmodel.contract.arrays import Matrix, Scores
from lightmodel.contract.columns import Contract
from lightmodel.contract.metrics import Metric
from lightmodel.contract.results import Evaluation
from lightmodel.errors import ArtefactMissing, ConfigError, DataError, LightModelError
from lightmodel.pipeline.candidates import deciding_metric
from lightmodel.pipeline.context import Workshop, read_side
from lightmodel.pipeline.entries import contest_store, forget_others, showing_of
from lightmodel.pipeline.run_records import comparison_records
from lightmodel.pipeline.testing import candidate_of
from lightmodel.search.entries import ComparisonResult, CvResult, Entry, EntryResult, RankedResult
from lightmodel.store.files import told, write_whole
from lightmodel.store.manifest import json_bytes
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import Store, Version

if TYPE_CHECKING:  # imported when it runs: scipy and matplotlib take seconds
    from lightmodel.search.ranking import TrainRows
    from lightmodel.training.testing import Candidate

logger = logging.getLogger(__name__)

PRESENT = "present settings"
_STAMP = "%Y%m%dT%H%M%S%fZ"

Race = Callable[[str, Sequence[Entry]], Iterator[EntryResult]]


@dataclass(frozen=True)
class Contest:
    """What to compare, and how.

    Attributes:
        contenders: in the order in which to begin.
        absent: those that cannot take part, and why.
        race: trains contenders on the split of this version; yields each as it ends.
        ensemble: blend the best as well.
    """

    contenders: tuple[Entry, ...]
    absent: tuple[EntryResult, ...]
    race: Race
    ensemble: bool


def with_present(contenders: Sequence[Entry], train: TrainSection) -> tuple[tuple[Entry, ...], str]:
    """Add the settings in force, unless they are among the contenders; give also their name."""
    for one in contenders:
        if (one.estimator, dict(one.parameters)) == (train.estimator, train.parameters):
            return tuple(contenders), one.name
    own = Entry(PRESENT, train.estimator, train.parameters)
    return (own, *contenders), PRESENT


def compare(workshop: Workshop, split: Version, contest: Contest) -> ComparisonResult:
    """Train all contenders on the split's folds, rank them, and write down what came out.

    Raises:
        DataError: none of them finished.
        ConfigError: a blend is asked for where probabilities are corrected.
    """
    if contest.ensemble and workshop.config.train.calibration != "none":
        raise ConfigError(
            "--ensemble weighs scores as the models give them, and train.calibration corrects them",
            hint="compare with --set train.calibration=none; a blend that wins can be calibrated then",
        )
    contenders, present = with_present(contest.contenders, workshop.config.train)
    created = datetime.now(UTC)
    ended = _race(workshop, split, contest.race, contenders)
    models = contest_store(workshop)
    showings = [showing_of(models, one.entry, one.version) for one in ended if one.version]
    left_out = (*(one for one in ended if not one.version), *contest.absent)
    if not showings:
        reasons = "; ".join(f"{one.entry.name}: {one.reason}" for one in left_out)
        raise DataError(f"nothing can be compared: {reasons}", hint="--limit gives more time")
    metric = deciding_metric(workshop.config, split)
    standings, blended = _ranked(workshop, split, showings, metric, ensemble=contest.ensemble)
    folder = workshop.config.store.work / "comparisons" / created.strftime(_STAMP)
    compared = ComparisonResult(
        split, metric, standings, left_out, blended, present, folder, created.isoformat()
    )
    forget_others(models, split)
    _write(compared)
    return compared


def _race(
    workshop: Workshop, split: Version, race: Race, contenders: Sequence[Entry]
) -> list[EntryResult]:
    ended = []
    total = len(contenders)
    with workshop.progress.task("comparison", total=total, unit="contenders") as steps:
        for one in race(split.name, contenders):
            ended.append(one)
            logger.info(
                "%s is done (%d of %d)%s",
                one.entry.name,
                len(ended),
                total,
                f": {one.reason}" if one.reason else "",
            )
            steps.advance()
    place = {one.name: at for at, one in enumerate(contenders)}
    return sorted(ended, key=lambda one: place[one.entry.name])


def _ranked(
    workshop: Workshop,
    split: Version,
    showings: list[CvResult],
    metric: Metric,
    *,
    ensemble: bool,
) -> tuple[tuple[RankedResult, ...], str]:
    """Rank the showings; a blend joins them only where it is better than all."""
    from lightmodel.search.ranking import blend, rank

    alone = rank(showings, metric)
    if not ensemble:
        return alone, ""
    mixed = blend(showings, _rows(workshop, split), metric, workshop.config.train)
    if mixed is None:
        return alone, "No blend of the best is of use: one of them gets all the weight."
    both = rank([*showings, mixed], metric)
    found = next(one for one in both if one.result is mixed)
    words = f"The blend {mixed.notes[0]} reaches {metric.title} {found.mean[metric.name]:.4f}"
    if both[0] is not found:
        return alone, f"{words}, not better than {both[0].result.name} alone: it is not kept."
    return both, f"{words}: better than {both[1].result.name} alone, so it is kept."


def _rows(workshop: Workshop, split: Version) -> "TrainRows":
    from lightmodel.search.ranking import TrainRows
    from lightmodel.tables.encode import target_vector
    from lightmodel.training.train import assign_folds

    contract = Contract.from_dict(split.manifest.contract or {})
    table = read_side(workshop, split, "train", contract)
    target = target_vector(table[contract.target.name], contract.task)
    config = workshop.config
    numbers = assign_folds(table, contract, config.train, config.split)
    return TrainRows(contract.task.kind, target, numbers)


def _write(compared: ComparisonResult) -> None:
    from lightmodel.search.comparison_report import as_csv, as_excel, comparison_png

    with told(compared.folder):
        compared.folder.mkdir(parents=True)
    for name, data in (
        ("comparison.csv", as_csv(compared.ranking, compared.left_out, compared.metric)),
        ("comparison.xlsx", as_excel(compared.ranking, compared.left_out, compared.metric)),
        ("comparison.png", comparison_png(compared.ranking, compared.metric)),
        ("comparison.json", json_bytes(_facts(compared))),
    ):
        write_whole(compared.folder / name, data)


def _facts(compared: ComparisonResult) -> dict[str, Any]:
    return {
        "created": compared.created,
        "split": compared.split.name,
        "metric": compared.metric.name,
        "winner": compared.winner.result.name,
        "present": compared.present,
        "blend": compared.blended,
        "contenders": [
            {
                "name": one.result.name,
                "estimator": one.result.estimator,
                "parameters": one.result.parameters,
                "folds": one.result.folds,
                "pooled": one.result.pooled,
                "behind": one.behind,
                "noise": one.noise,
            }
            for one in compared.ranking
        ],
        "left_out": {one.entry.name: one.reason for one in compared.left_out},
    }


def meet_test_rows(workshop: Workshop, compared: ComparisonResult) -> Evaluation:
    """Score the winner on the test rows, beside a dummy and the model that is served now, if any.

    Raises:
        ArtefactCorrupt: the test rows are not what was written.
    """
    from lightmodel.training.testing import evaluate

    candidate = _winning(workshop, compared)
    target = _rows(workshop, compared.split)
    tested = evaluate(
        read_side(workshop, compared.split, "test", candidate.contract),
        _prior(target, len(candidate.contract.task.labels)),
        candidate,
        _served(workshop),
        workshop.config.gate.bootstrap,
        lambda _: None,
    )
    for warning in tested.warnings:
        logger.warning("%s", warning)
    found = tested.evaluation.to_dict()
    kept = {name: found[name] for name in ("rows", "metrics", "dummy", "comparison")}
    content = {"winner": compared.winner.result.name, **kept}
    write_whole(compared.folder / "winner-on-test-rows.json", json_bytes(content))
    return tested.evaluation


def _prior(rows: "TrainRows", classes: int) -> Any:  # noqa: ANN401 — (classes,), or (1,)
    if classes > 2:
        counts = np.bincount(rows.target.astype(np.int64), minlength=classes)
        return counts / len(rows.target)
    return np.array([rows.target.mean()])


def _winning(workshop: Workshop, compared: ComparisonResult) -> "Candidate":
    """Open the winner's model; a blend is put together from its members' models."""
    showing = compared.winner.result
    models = contest_store(workshop)
    members = [_opened(workshop, models, name) for name in showing.versions]
    if not showing.weights:
        return members[0]

    def predict(features: Matrix) -> Scores:
        parts = zip(showing.weights, members, strict=True)
        mean: Scores = sum(weight * one.predict(features) for weight, one in parts)  # type: ignore[assignment]
        return mean

    return replace(members[0], predict=predict, threshold=showing.threshold, version="blend")


def _opened(workshop: Workshop, models: Store, name: str) -> "Candidate":
    version = models.get(name)
    models.verify(version)
    return candidate_of(workshop, version)


def _served(workshop: Workshop) -> "Candidate | None":
    try:
        return candidate_of(workshop, newest_approved(workshop.models, workshop.signer))
    except ArtefactMissing:
        return None
    except LightModelError as error:
        logger.warning(
            "the served model cannot be opened, so it is not compared: %s", error.message
        )
        return None


def tell(workshop: Workshop, compared: ComparisonResult, tested: Evaluation | None) -> None:
    """Tell tracking of the comparison, and of each contender as a part of it."""
    workshop.record(comparison_records(compared, tested))
