"""Run `compare`: several ways of fitting on the same folds, and the best of them on the test rows, once.

The scores out of fold choose the winner. All that is known of the folds is written before the test rows
are opened, and only the winner meets them.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
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
from lightmodel.search.entries import Contender, Ended, Showing, Standing
from lightmodel.store.files import told, write_whole
from lightmodel.store.manifest import json_bytes
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import Store, Version

if TYPE_CHECKING:  # imported when it runs: scipy and matplotlib take seconds
    from lightmodel.search.ranking import Rows
    from lightmodel.training.testing import Candidate

logger = logging.getLogger(__name__)

PRESENT = "present settings"
_STAMP = "%Y%m%dT%H%M%S%fZ"

Race = Callable[[str, Sequence[Contender]], Iterator[Ended]]


@dataclass(frozen=True)
class Contest:
    """What to compare, and how.

    Attributes:
        contenders: in the order in which to begin.
        absent: those that cannot take part, and why.
        race: trains contenders on the split of this version; yields each as it ends.
        ensemble: blend the best as well.
    """

    contenders: tuple[Contender, ...]
    absent: tuple[Ended, ...]
    race: Race
    ensemble: bool


@dataclass(frozen=True)
class Compared:
    """What a comparison found out, before any test row was read.

    Attributes:
        split: that all were trained on.
        metric: that decides.
        standings: of all that finished, the best first.
        left_out: the others, and why.
        blended: what is to be said of the blend; "" where none was asked for.
        present: name of the contender with the settings in force.
        folder: of what was written.
        created: UTC, in ISO format.
    """

    split: Version
    metric: Metric
    standings: tuple[Standing, ...]
    left_out: tuple[Ended, ...]
    blended: str
    present: str
    folder: Path
    created: str

    @property
    def winner(self) -> Standing:
        """The first."""
        return self.standings[0]

    def of_present(self) -> Standing | None:
        """Give the standing of the settings in force; None: they did not finish."""
        found = (one for one in self.standings if one.showing.name == self.present)
        return next(found, None)


def with_present(
    contenders: Sequence[Contender], train: TrainSection
) -> tuple[tuple[Contender, ...], str]:
    """Add the settings in force, unless they are among the contenders; give also their name."""
    for one in contenders:
        if (one.estimator, dict(one.parameters)) == (train.estimator, train.parameters):
            return tuple(contenders), one.name
    own = Contender(PRESENT, train.estimator, train.parameters)
    return (own, *contenders), PRESENT


def compare(workshop: Workshop, split: Version, contest: Contest) -> Compared:
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
    showings = [showing_of(models, one.contender, one.version) for one in ended if one.version]
    left_out = (*(one for one in ended if not one.version), *contest.absent)
    if not showings:
        reasons = "; ".join(f"{one.contender.name}: {one.why}" for one in left_out)
        raise DataError(f"nothing can be compared: {reasons}", hint="--limit gives more time")
    metric = deciding_metric(workshop.config, split)
    standings, blended = _ranked(workshop, split, showings, metric, ensemble=contest.ensemble)
    folder = workshop.config.store.work / "comparisons" / created.strftime(_STAMP)
    compared = Compared(
        split, metric, standings, left_out, blended, present, folder, created.isoformat()
    )
    forget_others(models, split)
    _write(compared)
    return compared


def _race(
    workshop: Workshop, split: Version, race: Race, contenders: Sequence[Contender]
) -> list[Ended]:
    ended = []
    total = len(contenders)
    with workshop.progress.task("comparison", total=total, unit="contenders") as steps:
        for one in race(split.name, contenders):
            ended.append(one)
            logger.info(
                "%s is done (%d of %d)%s",
                one.contender.name,
                len(ended),
                total,
                f": {one.why}" if one.why else "",
            )
            steps.advance()
    place = {one.name: at for at, one in enumerate(contenders)}
    return sorted(ended, key=lambda one: place[one.contender.name])


def _ranked(
    workshop: Workshop,
    split: Version,
    showings: list[Showing],
    metric: Metric,
    *,
    ensemble: bool,
) -> tuple[tuple[Standing, ...], str]:
    """Rank the showings; a blend joins them only where it is better than all."""
    from lightmodel.search.ranking import blend, rank

    alone = rank(showings, metric)
    if not ensemble:
        return alone, ""
    mixed = blend(showings, _rows(workshop, split), metric, workshop.config.train)
    if mixed is None:
        return alone, "No blend of the best is of use: one of them gets all the weight."
    both = rank([*showings, mixed], metric)
    found = next(one for one in both if one.showing is mixed)
    words = f"The blend {mixed.notes[0]} reaches {metric.title} {found.mean[metric.name]:.4f}"
    if both[0] is not found:
        return alone, f"{words}, not better than {both[0].showing.name} alone: it is not kept."
    return both, f"{words}: better than {both[1].showing.name} alone, so it is kept."


def _rows(workshop: Workshop, split: Version) -> "Rows":
    from lightmodel.search.ranking import Rows
    from lightmodel.tables.encode import target_vector
    from lightmodel.training.train import assign_folds

    contract = Contract.from_dict(split.manifest.contract or {})
    table = read_side(workshop, split, "train", contract)
    target = target_vector(table[contract.target.name], contract.task)
    config = workshop.config
    numbers = assign_folds(table, contract, config.train, config.split)
    return Rows(contract.task.kind, target, numbers)


def _write(compared: Compared) -> None:
    from lightmodel.search.comparison_page import as_csv, as_excel, comparison_png

    with told(compared.folder):
        compared.folder.mkdir(parents=True)
    left_out = [(one.contender.name, one.why) for one in compared.left_out]
    for name, data in (
        ("comparison.csv", as_csv(compared.standings, left_out, compared.metric)),
        ("comparison.xlsx", as_excel(compared.standings, left_out, compared.metric)),
        ("comparison.png", comparison_png(compared.standings, compared.metric)),
        ("comparison.json", json_bytes(_facts(compared))),
    ):
        write_whole(compared.folder / name, data)


def _facts(compared: Compared) -> dict[str, Any]:
    return {
        "created": compared.created,
        "split": compared.split.name,
        "metric": compared.metric.name,
        "winner": compared.winner.showing.name,
        "present": compared.present,
        "blend": compared.blended,
        "contenders": [
            {
                "name": one.showing.name,
                "estimator": one.showing.estimator,
                "parameters": one.showing.parameters,
                "folds": one.showing.folds,
                "pooled": one.showing.pooled,
                "behind": one.behind,
                "noise": one.noise,
            }
            for one in compared.standings
        ],
        "left_out": {one.contender.name: one.why for one in compared.left_out},
    }


def meet_test_rows(workshop: Workshop, compared: Compared) -> Evaluation:
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
    content = {"winner": compared.winner.showing.name, **kept}
    write_whole(compared.folder / "winner-on-test-rows.json", json_bytes(content))
    return tested.evaluation


def _prior(rows: "Rows", classes: int) -> Any:  # noqa: ANN401 — (classes,), or (1,)
    if classes > 2:
        counts = np.bincount(rows.target.astype(np.int64), minlength=classes)
        return counts / len(rows.target)
    return np.array([rows.target.mean()])


def _winning(workshop: Workshop, compared: Compared) -> "Candidate":
    """Open the winner's model; a blend is put together from its members' models."""
    showing = compared.winner.showing
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


def tell(workshop: Workshop, compared: Compared, tested: Evaluation | None) -> None:
    """Tell tracking of the comparison, and of each contender as a part of it."""
    workshop.record(comparison_records(compared, tested))
