"""Run `tune`: a study searches for better train.parameters on the training rows of a split.

No test row is read. Trials are cheap and few of them are finished; the best are then cross-validated
as `train` does it, beside the present settings, and that score decides.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from lightmodel.contract.columns import Contract
from lightmodel.contract.metrics import Metric
from lightmodel.errors import AlreadyRunning, ConfigError
from lightmodel.pipeline.best_trials import (
    Final,
    Finalist,
    best_trials,
    cross_validated,
    finalist,
    finalists_table,
    ranked,
    trials_table,
)
from lightmodel.pipeline.candidates import attempt_with, deciding_metric
from lightmodel.pipeline.context import Workshop, read_side
from lightmodel.pipeline.dependencies import libraries_of
from lightmodel.pipeline.reuse import model_inputs, model_parameters
from lightmodel.pipeline.train import recipe_of
from lightmodel.search.base import StudyPlan, TrialFitter
from lightmodel.search.space import Space, TrialReport
from lightmodel.store.files import told, write_whole
from lightmodel.store.fingerprint import fingerprint
from lightmodel.store.lock import run_lock
from lightmodel.store.versions import Version
from lightmodel.tracking.records import RunRecord

if TYPE_CHECKING:  # imported when it runs
    from lightmodel.search.trials import Bench

logger = logging.getLogger(__name__)

MODULES = ("lightmodel.search.trials", "lightmodel.learners.lightgbm_trials")
_OF_A_TRIAL = {"folds", "max_rounds", "patience"}
WORTH = 1e-3  # a share of the present value
TRIALS, FINALISTS, PLOT = "trials.csv", "finalists.csv", "study.png"


@dataclass(frozen=True)
class Tuned:
    """What a study found.

    Attributes:
        name: of the study.
        folder: of its files.
        metric: that was searched for.
        trials: all of them.
        finalists: in full, the best first, the present settings among them; none where others are
            still at work, or where it was interrupted before.
        others: trials that other processes have under way.
        interrupted: somebody pressed Ctrl-C.
    """

    name: str
    folder: Path
    metric: Metric
    trials: tuple[TrialReport, ...]
    finalists: tuple[Finalist, ...] = ()
    others: int = 0
    interrupted: bool = False
    space: Space = field(default=Space((), {}))

    @property
    def winner(self) -> Finalist | None:
        """Give the best trial if all were compared and it is clearly better than the present settings.

        A search looks at the folds many times, so that the smallest gains are chance.
        """
        if self.interrupted or not self.finalists or not self.finalists[0].trial:
            return None
        present = next(one for one in self.finalists if one.trial is None)
        best, value = self.finalists[0].value(self.metric), present.value(self.metric)
        worth = self.metric.worsened(value, -WORTH)
        return self.finalists[0] if value != value or self.metric.better(best, worth) else None


def run_tune(workshop: Workshop, split: Version, *, released: bool = False) -> Tuned:
    """Search, and cross-validate the best in full.

    Args:
        workshop: of the run; `tune` of its settings says how much.
        split: whose training rows are searched on.
        released: search also what train.parameters names.

    Raises:
        ConfigError: nothing is left to search, or no trial was finished in the time.
        NotPossible: the estimator has no declared ranges.
        SourceUnavailable: the study's data base does not answer.
    """
    space = workshop.tuning.space(workshop.config, released)
    if not space.ranges:
        raise ConfigError(
            "nothing is left to search: train.parameters names all that has a range",
            hint="add --all to search those as well, beginning with what they are now",
        )
    metric = deciding_metric(workshop.config, split)
    found = Tuned(*_place(workshop, split, space, metric), metric, (), space=space)
    with told(found.folder):
        found.folder.mkdir(parents=True, exist_ok=True)
    table = read_side(workshop, split, "train", Contract.from_dict(split.manifest.contract or {}))
    logger.info("study %s", found.name)
    found = _searched(workshop, split, table, found)
    if found.interrupted or found.others:
        return _written(workshop, found)
    if not best_trials(found.trials, metric, 1):
        raise ConfigError(
            "no trial was finished", hint="give it more time or trials: --timeout 20m --trials 50"
        )
    return _compared(Final(workshop, split, table, found.folder), found)


def _place(workshop: Workshop, split: Version, space: Space, metric: Metric) -> tuple[str, Path]:
    """Name the study after all that decides on a trial's value, and give its folder."""
    config = workshop.config
    train = {**model_parameters(config)["train"], "parameters": dict(space.given)}
    decides = {
        "train": {name: value for name, value in train.items() if name != "folds"},
        "split": config.split.model_dump(include={"method"}),
        "trial": config.tune.model_dump(include=_OF_A_TRIAL),
        "ranges": [repr(one) for one in space.ranges],
        "metric": metric.name,
    }
    key = fingerprint(model_inputs(config, split), decides, MODULES, libraries_of(config.train))
    name = f"tune-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    return name, config.tune.folder(config.store.work, name).resolve()


def _searched(workshop: Workshop, split: Version, table: pa.Table, found: Tuned) -> Tuned:
    """Make the trials that are missing; gives all that are there now."""
    from lightmodel.search.trials import search

    bench = _bench(workshop, split, table, found)
    interrupted = False
    try:
        search(bench, _clock(workshop.config.tune.timeout_s))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        try:
            trials = bench.study.trials()
        finally:
            bench.study.close()
    others = sum(trial.state == "running" for trial in trials)
    return replace(found, trials=trials, others=others, interrupted=interrupted)


def _bench(workshop: Workshop, split: Version, table: pa.Table, found: Tuned) -> "Bench":
    """Prepare the table for all trials, and open the study."""
    from lightmodel.search.trials import Bench
    from lightmodel.training.train import (
        assign_folds,
        extended_data,
        fold_rows,
        refuse_calibrating_numbers,
    )

    config, tune = workshop.config, workshop.config.tune
    section = config.train.model_copy(
        update={"parameters": dict(found.space.given), "folds": tune.folds}
    )
    fitting = replace(workshop, config=config.model_copy(update={"train": section}))
    contract = Contract.from_dict(split.manifest.contract or {})
    refuse_calibrating_numbers(contract, section)
    recipe = recipe_of(fitting, found.name)
    numbers = assign_folds(table, contract, section, config.split)
    by_time = config.split.method.startswith("time:")
    folds = [fold_rows(numbers, at, by_time=by_time) for at in range(int(numbers.max()) + 1)]
    data, _ = extended_data(table, contract, recipe)
    fitter = workshop.tuning.fitter(fitting.config, data, folds)
    study = workshop.tuning.study(config, _plan(workshop, fitter, found))
    return Bench(
        data, numbers, section, found.metric, fitter, study, workshop.progress, tune.trials
    )


def _plan(workshop: Workshop, fitter: TrialFitter, found: Tuned) -> StudyPlan:
    """Begin with what is in force: with `released`, what train.parameters names is a part of that."""
    train, tune = workshop.config.train, workshop.config.tune
    in_force = {**fitter.settled, **train.parameters}
    return StudyPlan(
        found.name,
        found.space.ranges,
        found.metric.higher_is_better,
        train.seed,
        tune.trials,
        tune.startup,
        tune.keep_share,
        workshop.tuning.starting_point(found.space.ranges, in_force),
    )


def _clock(seconds: float) -> Callable[[], bool]:
    started = time.monotonic()
    return lambda: time.monotonic() - started >= seconds


def _compared(final: Final, found: Tuned) -> Tuned:
    """Cross-validate the best trials and the present settings in full, one after the other."""
    workshop, split, metric = final.workshop, final.split, found.metric
    finalists: list[Finalist] = []
    try:
        with run_lock(found.folder):
            present = attempt_with(workshop, split, workshop.config.train.parameters)
            finalists.append(Finalist(None, cross_validated(final, present)))
            for trial in best_trials(found.trials, metric, workshop.config.tune.finalists):
                finalists.append(finalist(final, found.space.given, trial))  # noqa: PERF401 — an interruption keeps those before it
    except AlreadyRunning:
        return _written(workshop, replace(found, others=1))
    except KeyboardInterrupt:
        found = replace(found, interrupted=True)
    found = replace(found, finalists=ranked(finalists, metric))
    if not found.interrupted:
        for loser in found.finalists[1:]:
            loser.attempt.workshop.checkpoints(loser.attempt.key).clear()
    return _written(workshop, found)


def _written(workshop: Workshop, found: Tuned) -> Tuned:
    """Write tables and picture beside the study, and tell tracking of it."""
    from lightmodel.search.study_plot import study_png

    write_whole(found.folder / TRIALS, trials_table(found.trials, found.metric))
    picture = study_png(found.trials, found.space.ranges, found.metric)
    write_whole(found.folder / PLOT, picture)
    if found.finalists:
        write_whole(found.folder / FINALISTS, finalists_table(found.finalists, found.metric))
    workshop.record(_records(found))
    return found


def _records(found: Tuned) -> tuple[RunRecord, ...]:
    """Tell of the study and of each trial that ended with a value."""
    names = [name for name in (TRIALS, FINALISTS, PLOT) if (found.folder / name).exists()]
    best = best_trials(found.trials, found.metric, 1)
    now = datetime.now(UTC).isoformat()
    study = RunRecord(
        found.name,
        "study",
        min((trial.created for trial in found.trials if trial.created), default=now),
        now,
        metrics={found.metric.name: best[0].value} if best else {},
        # Of a run, MLflow lets nobody change a parameter; and a study goes on.
        tags={
            "trials": str(len(found.trials)),
            **(
                {f"best.{name}": str(value) for name, value in best[0].parameters.items()}
                if best
                else {}
            ),
        },
        files=tuple(found.folder / name for name in names),
    )
    ended = [trial for trial in found.trials if trial.state in {"complete", "pruned"}]
    return (study, *(_record_of(found, trial) for trial in ended if trial.folds))


def _record_of(found: Tuned, trial: TrialReport) -> RunRecord:
    return RunRecord(
        f"{found.name}-{trial.number:05d}",
        "trial",
        trial.created,
        trial.ended,
        found.name,
        parameters=dict(trial.parameters),
        metrics={found.metric.name: trial.value},
        curves={found.metric.name: tuple((at, value) for at, value in enumerate(trial.folds, 1))},
        tags={"state": trial.state},
    )
