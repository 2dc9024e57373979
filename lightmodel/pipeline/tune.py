"""Run `tune`: search for better train.parameters by a study on the training rows of a split.

No test row is read. Trials are cheap, and weak ones are pruned; the best are then cross-validated in
full, as `train` does, together with the present settings, and that score decides.
"""

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from lightmodel.cluster.client import open_cluster
from lightmodel.config.threads import threads_of
from lightmodel.contract.task import Metric
from lightmodel.errors import AlreadyRunning, ConfigError
from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.pipeline.candidates import Candidate, format_parameters, rank
from lightmodel.pipeline.context import (
    RunContext,
    contract_of,
    deciding_metric,
    read_split,
)
from lightmodel.pipeline.finalists import exceeds_noise, score_finalist
from lightmodel.pipeline.reuse import libraries_of, model_inputs, model_parameters
from lightmodel.pipeline.train import clear_checkpoints, train_spec
from lightmodel.pipeline.training_results import csv_bytes
from lightmodel.search.ranges import Space, search_space, starting_point
from lightmodel.search.spread_trials import SpreadTrials
from lightmodel.search.studies import StudyPlan, Trial, open_study
from lightmodel.search.study_report import best_trials, study_png, trial_rows
from lightmodel.search.trials import TrialContext, TrialFitter, prepare_trials, run_trials
from lightmodel.store.lock import run_lock
from lightmodel.store.provenance import fingerprint
from lightmodel.store.versions import Version
from lightmodel.tracking.records import RunRecord
from lightmodel.training.cross_validation import extended_data
from lightmodel.training.folds import assign_folds

logger = logging.getLogger(__name__)

MODULES = ("lightmodel.search.trials", "lightmodel.learners.lightgbm")
_TRIAL_SEED = 1_000_003  # added to train.seed
_OF_A_TRIAL = {"folds", "max_rounds", "patience"}
MIN_GAIN = 1e-3  # relative to the value of the present settings
TRIALS, FINALISTS, PLOT = "trials.csv", "finalists.csv", "study.png"


@dataclass(frozen=True)
class TuneResult:
    """The result of a study.

    Attributes:
        folder: of the study's files.
        finalists: candidates cross-validated in full, the best first, the present settings among them;
            empty while other processes run trials, or if the study was interrupted before.
        others: number of trials that other processes are running.
        interrupted: whether the user pressed Ctrl-C.
    """

    name: str
    folder: Path
    metric: Metric
    space: Space
    trials: tuple[Trial, ...] = ()
    finalists: tuple[Candidate, ...] = ()
    others: int = 0
    interrupted: bool = False

    @property
    def winner(self) -> Candidate | None:
        """The best trial, if all were compared and it is clearly better than the present settings.

        A search sees the folds many times, so that small gains are chance: a gain must exceed the noise
        between the folds, of as many trials as were compared.
        """
        if self.interrupted or not self.finalists or not self.finalists[0].trial:
            return None
        metric, best = self.metric, self.finalists[0]
        present = next(one for one in self.finalists if one.trial is None)
        value = present.value(metric)
        if value != value:
            return best
        clear = metric.better(best.value(metric), metric.worsened(value, -MIN_GAIN))
        return (
            best
            if clear and exceeds_noise(best, present, metric, len(self.finalists) - 1)
            else None
        )


def run_tune(context: RunContext, split: Version, *, include_fixed: bool = False) -> TuneResult:
    """Run the study, and cross-validate the best trials in full.

    With `include_fixed`, parameters that train.parameters fixes are searched as well.

    Raises:
        ConfigError: nothing is left to search, or no trial finished in time.
        NotPossible: the estimator has no declared ranges.
        SourceUnavailable: the study's database does not answer.
    """
    searched = search_space(context.config, include_fixed=include_fixed)
    if not searched.ranges:
        raise ConfigError(
            "nothing is left to search: train.parameters fixes every parameter that has a range",
            hint="add --all to search those as well, starting from their present values",
        )
    result = _new_result(context, split, searched)
    with translate_os_errors(result.folder):
        result.folder.mkdir(parents=True, exist_ok=True)
    table = read_split(context.splits, split, "train", context.config.store.work)
    logger.info("running study %s", result.name)
    result = _run_trials(context, split, table, result)
    if not (result.interrupted or result.others):
        result = _compare_best(context, split, table, result)
    _write(result)
    context.record(_run_records(result))
    return result


def _new_result(context: RunContext, split: Version, searched: Space) -> TuneResult:
    """Return an empty result, named after all that determines trial values, so that a study resumes."""
    config, metric = context.config, deciding_metric(context.config, split)
    train = {**model_parameters(config)["train"], "parameters": dict(searched.fixed)}
    decides = {
        "train": {name: value for name, value in train.items() if name != "folds"},
        "split": config.split.model_dump(include={"method"}),
        "trial": config.tune.model_dump(include=_OF_A_TRIAL),
        "ranges": [repr(one) for one in searched.ranges],
        "metric": metric.name,
    }
    key = fingerprint(model_inputs(config, split), decides, MODULES, libraries_of(config.train))
    name = f"tune-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    folder = config.tune.folder(config.store.work, name).resolve()
    return TuneResult(name, folder, metric, searched)


def _run_trials(
    context: RunContext, split: Version, table: pa.Table, result: TuneResult
) -> TuneResult:
    """Run the trials that are missing, and return the result with all trials so far."""
    trial_context = _trial_context(context, split, table, result)
    ends = time.monotonic() + context.config.tune.timeout_s
    interrupted = False
    try:
        run_trials(trial_context, lambda: time.monotonic() >= ends)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        try:
            trials = trial_context.study.trials()
        finally:
            trial_context.study.close()
    others = sum(trial.state == "running" for trial in trials)
    return replace(result, trials=trials, others=others, interrupted=interrupted)


def _trial_context(
    context: RunContext, split: Version, table: pa.Table, result: TuneResult
) -> TrialContext:
    """Prepare the table for all trials, and open the study.

    The study begins with the settings in force, including searched ones of train.parameters.
    """
    config, tune, contract = context.config, context.config.tune, contract_of(split)
    update = {"parameters": dict(result.space.fixed), "folds": tune.folds}
    section = config.train.model_copy(update=update)
    fitting = config.model_copy(update={"train": section})
    # other folds than those of the finalists, which are cut by the same draws into train.folds
    cut = section.model_copy(update={"seed": section.seed + _TRIAL_SEED})
    folds = assign_folds(table, contract, cut, config.split)
    spec = train_spec(fitting, result.name, context.progress)
    data, _ = extended_data(table, contract, spec, folds)
    fitter = prepare_trials(fitting, data, folds, threads_of(config))
    in_force = {**fitter.trainer.parameters, **config.train.parameters}
    plan = StudyPlan(
        result.name,
        result.space.ranges,
        result.metric,
        config.train.seed,
        tune.trials,
        tune.n_startup_trials,
        tune.pruner_percentile,
        starting_point(result.space.ranges, in_force),
    )
    spread: TrialFitter = fitter
    if config.dask.engine == "dask":
        spread = SpreadTrials.of(fitter, folds, open_cluster(config.dask))
    study = open_study(config, plan)
    return TrialContext(data, folds.numbers, section, spread, study, context.progress)


def _compare_best(
    context: RunContext, split: Version, table: pa.Table, result: TuneResult
) -> TuneResult:
    """Cross-validate the present settings and the best trials in full, one after the other."""
    config, metric = context.config, result.metric
    best = best_trials(result.trials, metric, config.tune.finalists)
    if not best:
        raise ConfigError(
            "no trial finished", hint="allow more time or trials: --timeout 20m --trials 50"
        )
    finalists: list[Candidate] = []
    try:
        with run_lock(result.folder):
            for trial in (None, *best):
                parameters = config.train.parameters
                if trial:
                    text = format_parameters(trial.parameters)
                    logger.info("cross-validating trial %d in full: %s", trial.number, text)
                    parameters = {**result.space.fixed, **trial.parameters}
                one = Candidate.of(config, split, parameters, trial)
                one = score_finalist(context, split, table, result.folder, one)
                finalists.append(one)
    except AlreadyRunning:
        return replace(result, others=1)
    except KeyboardInterrupt:
        return replace(result, interrupted=True, finalists=rank(finalists, metric))
    ranked = rank(finalists, metric)
    for loser in ranked[1:]:
        clear_checkpoints(loser.config, loser.key)
    return replace(result, finalists=ranked)


def _write(result: TuneResult) -> None:
    """Write tables and a picture into the study's folder."""
    folder, metric = result.folder, result.metric
    write_atomic(folder / TRIALS, csv_bytes(trial_rows(result.trials, metric)))
    write_atomic(folder / PLOT, study_png(result.trials, result.space.ranges, metric))
    if result.finalists:
        write_atomic(folder / FINALISTS, csv_bytes(finalist_rows(result.finalists, metric)))


def finalist_rows(finalists: Sequence[Candidate], metric: Metric) -> list[dict[str, object]]:
    """Return a row per finalist: rank, trial, its score, all metrics in full, and parameters."""
    return [
        {
            "rank": place,
            "trial": one.trial.number if one.trial else "present settings",
            f"{metric.name}_of_trial": one.trial.value if one.trial else "",
            **(one.metrics or {}),
            **one.parameters,
        }
        for place, one in enumerate(finalists, 1)
    ]


def _run_records(result: TuneResult) -> tuple[RunRecord, ...]:
    """Return the records for tracking: the study, and each trial that ended with a value."""
    names = [name for name in (TRIALS, FINALISTS, PLOT) if (result.folder / name).exists()]
    now, metric = datetime.now(UTC).isoformat(), result.metric.name
    tags, metrics = {"trials": str(len(result.trials))}, {}
    for best in best_trials(result.trials, result.metric, 1):
        metrics = {metric: best.value}
        # Logged as tags: MLflow's parameters cannot change, and a study may be resumed.
        tags |= {f"best.{name}": str(value) for name, value in best.parameters.items()}
    study = RunRecord(
        result.name,
        "study",
        min((trial.created for trial in result.trials if trial.created), default=now),
        now,
        metrics=metrics,
        tags=tags,
        files=tuple(result.folder / name for name in names),
    )
    ended = [one for one in result.trials if one.state in {"complete", "pruned"} and one.folds]
    trials = [
        RunRecord(
            f"{result.name}-{trial.number:05d}",
            "trial",
            trial.created,
            trial.ended,
            result.name,
            parameters=dict(trial.parameters),
            metrics={metric: trial.value},
            curves={metric: tuple(enumerate(trial.folds, 1))},
            tags={"state": trial.state},
        )
        for trial in ended
    ]
    return (study, *trials)
