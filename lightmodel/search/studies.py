"""Run Optuna studies of parameters, which several processes can share.

A Tree-structured Parzen Estimator (TPE) chooses parameters, and a percentile pruner stops weak trials.
"""

import math
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from lightmodel.config import Config
from lightmodel.contract.task import Metric
from lightmodel.search.ranges import Range
from lightmodel.search.storages import (
    WORKER,
    FolderStorage,
    PostgresStorage,
    StudyStorage,
    silence_optuna,
    translate_database_errors,
)

_MIN_ALL_FAILED = 10  # so many trials, all failed: the metric is undefined
_COUNTED = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)
State = Literal["complete", "pruned", "failed", "running"]
_STATES: Mapping[TrialState, State] = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True)
class StudyPlan:
    """The definition of a study.

    Attributes:
        name: identifies the study, whichever process or machine opens it.
        ranges: the parameters to vary.
        metric: to optimise.
        seed: of the sampler.
        trials: number of trials in all, over all processes.
        n_startup_trials: number of trials that are drawn at random before the sampler learns from them.
        percentile: a trial continues only while it is among this best percentage of the finished ones.
        first: the parameters of the first trial.
    """

    name: str
    ranges: tuple[Range, ...]
    metric: Metric
    seed: int
    trials: int
    n_startup_trials: int
    percentile: float
    first: Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """One trial of a study.

    Attributes:
        number: in its study, from 0.
        parameters: the values tried, by the ranges' names.
        value: the metric out of fold; of a pruned trial, over the folds that it saw; else NaN.
        folds: the `value` after each fold.
        created, ended: UTC in ISO format; `ended` is "" while the trial runs.
    """

    number: int
    state: State
    parameters: Mapping[str, Any]
    value: float = math.nan
    folds: tuple[float, ...] = ()
    created: str = ""
    ended: str = ""


class OptunaStudy:
    """One process's handle of a study; thread-safe.

    Recorded values survive the death of this process. A trial whose process died is marked as failed,
    does not count, and is replaced by another. Together, all processes run `plan.trials` trials. Every
    method raises SourceUnavailable if the storage does not answer.

    Attributes:
        plan: the definition of the study.
    """

    def __init__(self, plan: StudyPlan, storage: StudyStorage) -> None:
        """Open the study with the plan's name, or create it."""
        silence_optuna()
        self.plan = plan
        self._storage = storage
        self._lock = threading.Lock()
        self._distributions = {one.name: distribution(one) for one in plan.ranges}
        self._trials: dict[int, optuna.Trial] = {}
        with translate_database_errors():
            self._study = optuna.create_study(
                study_name=plan.name,
                storage=storage.optuna,
                load_if_exists=True,
                direction="maximize" if plan.metric.higher_is_better else "minimize",
                sampler=_sampler(plan, storage.worker),
                pruner=_pruner(plan),
            )
            self._fail_stale_trials()
            if not self._study.get_trials(deepcopy=False, states=(*_COUNTED, TrialState.WAITING)):
                self._study.enqueue_trial(dict(plan.first))

    def ask(self) -> Trial | None:
        """Return the next trial, or None when enough have ended or are running."""
        with self._lock, translate_database_errors():
            self._fail_stale_trials()
            if self._count() >= self.plan.trials or self._have_all_failed():
                return None
            trial = self._study.ask(self._distributions)
            self._storage.start_heartbeat(trial._trial_id)
            trial.set_user_attr(WORKER, self._storage.worker)
            self._trials[trial.number] = trial
            if self._count(before=trial.number) < self.plan.trials:
                return Trial(trial.number, "running", round_parameters(trial.params))
        self.fail(trial.number)  # another process took the last place
        return None

    def report(self, number: int, fold: int, value: float) -> bool:
        """Record a trial's value after a fold (from 0), and return whether to prune the trial."""
        with self._lock, translate_database_errors():
            try:
                self._trials[number].report(value, fold)
            except optuna.exceptions.UpdateFinishedTrialError:  # another process found it stale
                return True
            return self._trials[number].should_prune()

    def complete(self, number: int, value: float) -> None:
        """Record the value of a finished trial; NaN marks it as failed."""
        if math.isnan(value):
            self.fail(number)
        else:
            self._tell(number, value, TrialState.COMPLETE)

    def prune(self, number: int) -> None:
        """Mark a trial as pruned: it is not worth continuing."""
        self._tell(number, None, TrialState.PRUNED)

    def fail(self, number: int) -> None:
        """Mark a trial as failed, so that it does not count; one that has ended is left unchanged."""
        self._tell(number, None, TrialState.FAIL)

    def trials(self) -> tuple[Trial, ...]:
        """Return all trials by number."""
        with self._lock, translate_database_errors():
            self._fail_stale_trials()
            stored = self._study.get_trials(deepcopy=False, states=tuple(_STATES))
        return tuple(map(_as_trial, stored))

    def close(self) -> None:
        """Release the storage: this process runs no more trials."""
        self._storage.close()

    def _count(self, before: float = math.inf) -> int:
        """Count the trials with a smaller number that have ended with a value or are running."""
        counted = self._study.get_trials(deepcopy=False, states=_COUNTED)
        return sum(trial.number < before for trial in counted)

    def _have_all_failed(self) -> bool:
        stored = self._study.get_trials(deepcopy=False)
        failed = sum(trial.state is TrialState.FAIL for trial in stored)
        return failed >= _MIN_ALL_FAILED and failed == len(stored)

    def _fail_stale_trials(self) -> None:
        optuna.storages.fail_stale_trials(self._study)
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if self._storage.is_stale(trial):
                self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _tell(self, number: int, value: float | None, state: TrialState) -> None:
        with self._lock, translate_database_errors():
            self._study.tell(number, value, state=state, skip_if_finished=True)
            self._storage.stop_heartbeat(self._trials[number]._trial_id)


def open_study(config: Config, plan: StudyPlan) -> OptunaStudy:
    """Open or create a study, in tune.storage if that is set, else in a folder of store.work.

    Raises:
        ConfigError: tune.storage is not the URL of a PostgreSQL database, or psycopg is missing.
        SourceUnavailable: the database does not answer.
        StorageFull, LightModelError: the folder cannot be written.
    """
    url = config.tune.storage
    if url:
        return OptunaStudy(plan, PostgresStorage(url.get_secret_value()))
    return OptunaStudy(plan, FolderStorage(config.tune.folder(config.store.work, plan.name)))


def distribution(one: Range) -> BaseDistribution:
    """Return a range as Optuna's distribution."""
    if one.is_int:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _sampler(plan: StudyPlan, worker: str) -> optuna.samplers.BaseSampler:
    """Return a sampler seeded for this process: two that begin together must not try the same."""
    seed = np.random.SeedSequence([plan.seed, zlib.crc32(worker.encode())]).generate_state(1)
    return optuna.samplers.TPESampler(seed=int(seed[0]), n_startup_trials=plan.n_startup_trials)


def _pruner(plan: StudyPlan) -> optuna.pruners.BasePruner:
    if plan.percentile == 100:
        return optuna.pruners.NopPruner()
    # One fold alone is noisy: pruning by it often loses the trial that would have been the best.
    return optuna.pruners.PercentilePruner(
        plan.percentile, n_startup_trials=min(4, plan.n_startup_trials), n_warmup_steps=1
    )


def _as_trial(trial: FrozenTrial) -> Trial:
    folds = tuple(trial.intermediate_values[at] for at in sorted(trial.intermediate_values))
    value = math.nan
    if trial.state is TrialState.COMPLETE and trial.value is not None:
        value = trial.value
    elif trial.state is TrialState.PRUNED and folds:
        value = folds[-1]
    return Trial(
        trial.number,
        _STATES[trial.state],
        round_parameters(trial.params),
        value,
        folds,
        _utc(trial.datetime_start),
        _utc(trial.datetime_complete),
    )


def round_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Round floats to four significant digits, for readability; leave integers unchanged."""
    return {
        name: value if isinstance(value, int) else float(f"{value:.4g}")
        for name, value in parameters.items()
    }


def _utc(moment: datetime | None) -> str:
    """Return a time in UTC and ISO format; Optuna's are local times without a time zone."""
    return "" if moment is None else moment.astimezone(UTC).isoformat()
