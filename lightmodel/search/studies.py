"""Searches by Optuna: studies that processes share, and the search of a retry.

A Tree-structured Parzen Estimator chooses parameters, and a percentile of the best prunes trials.
"""

import math
import threading
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from lightmodel.search import base
from lightmodel.search.base import Range, RejectedBaseline, StudyPlan, TrialReport, round_value
from lightmodel.search.storages import (
    WORKER,
    StudyStorage,
    silence_optuna,
    translate_database_errors,
)

_HOPELESS = 10  # so many trials without any value, and the metric is taken for undefined
_REPEATS = 50
_COUNTED = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)
_STATES: Mapping[TrialState, base.TrialState] = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


class OptunaStudy:
    """One process's part in a study; thread-safe.

    What was told survives the death of this process. A trial whose process died is failed, counts for
    nothing, and another takes its place. Together, all processes run `plan.trials` trials. Every method
    raises SourceUnavailable where the storage does not answer.
    """

    def __init__(self, plan: StudyPlan, storage: StudyStorage) -> None:
        """Open the study of the plan's name, or begin it."""
        silence_optuna()
        self._plan = plan
        self._storage = storage
        self._lock = threading.Lock()
        self._distributions = {one.name: distribution(one) for one in plan.ranges}
        self._trials: dict[int, optuna.Trial] = {}
        with translate_database_errors():
            self._study = optuna.create_study(
                study_name=plan.name,
                storage=storage.optuna,
                load_if_exists=True,
                direction=_direction(higher_is_better=plan.higher_is_better),
                sampler=_sampler(plan, storage.worker),
                pruner=_pruner(plan),
            )
            self._fail_stale_trials()
            if not self._study.get_trials(deepcopy=False, states=(*_COUNTED, TrialState.WAITING)):
                self._study.enqueue_trial(dict(plan.first))

    def ask(self) -> base.Trial | None:
        """Return the next trial, or None when enough have ended or are running."""
        with self._lock, translate_database_errors():
            self._fail_stale_trials()
            if self._count() >= self._plan.trials or self._is_hopeless():
                return None
            trial = self._study.ask(self._distributions)
            self._storage.start_heartbeat(trial._trial_id)
            trial.set_user_attr(WORKER, self._storage.worker)
            self._trials[trial.number] = trial
            if self._count(before=trial.number) < self._plan.trials:
                return base.Trial(trial.number, _rounded(trial.params))
        self.fail(trial.number)  # another process was quicker
        return None

    def report(self, number: int, fold: int, value: float) -> bool:
        """Record a trial's value after a fold (from 0), and return whether to prune the trial."""
        with self._lock, translate_database_errors():
            try:
                self._trials[number].report(value, fold)
            except optuna.exceptions.UpdateFinishedTrialError:  # another process took it for stale
                return True
            return self._trials[number].should_prune()

    def complete(self, number: int, value: float) -> None:
        """Record the value of a finished trial; NaN fails it."""
        if math.isnan(value):
            self.fail(number)
        else:
            self._tell(number, value, TrialState.COMPLETE)

    def prune(self, number: int) -> None:
        """End a trial that is not worth going on with."""
        self._tell(number, None, TrialState.PRUNED)

    def fail(self, number: int) -> None:
        """Fail a trial, so that it counts for nothing; one that has ended stays as it is."""
        self._tell(number, None, TrialState.FAIL)

    def trials(self) -> tuple[TrialReport, ...]:
        """Return all trials by number."""
        with self._lock, translate_database_errors():
            self._fail_stale_trials()
            stored = self._study.get_trials(deepcopy=False, states=tuple(_STATES))
        return tuple(map(_report, stored))

    def close(self) -> None:
        """Release the storage: this process runs no more trials."""
        self._storage.close()

    def _count(self, before: float = math.inf) -> int:
        """Count the trials with a smaller number that have ended with a value or are running."""
        counted = self._study.get_trials(deepcopy=False, states=_COUNTED)
        return sum(trial.number < before for trial in counted)

    def _is_hopeless(self) -> bool:
        stored = self._study.get_trials(deepcopy=False)
        failed = sum(trial.state is TrialState.FAIL for trial in stored)
        return failed >= _HOPELESS and failed == len(stored)

    def _fail_stale_trials(self) -> None:
        optuna.storages.fail_stale_trials(self._study)
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if self._storage.is_stale(trial):
                self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _tell(self, number: int, value: float | None, state: TrialState) -> None:
        with self._lock, translate_database_errors():
            self._study.tell(number, value, state=state, skip_if_finished=True)
            self._storage.stop_heartbeat(self._trials[number]._trial_id)


class OptunaSearch:
    """The search of a retry: a study in memory that begins with the rejected parameters."""

    def __init__(
        self,
        ranges: tuple[Range, ...],
        given: Mapping[str, Any],
        first: Mapping[str, float],
        baseline: RejectedBaseline,
        seed: int,
    ) -> None:
        """Begin the search.

        Args:
            ranges: the parameters to vary.
            given: the parameters that every set has besides.
            first: the rejected parameters, within the ranges.
            baseline: their value, and whether higher is better.
            seed: of the sampler.
        """
        silence_optuna()
        self._given = dict(given)
        self._distributions = {one.name: distribution(one) for one in ranges}
        self._study = optuna.create_study(
            direction=_direction(higher_is_better=baseline.higher_is_better),
            sampler=_tpe(seed, startup=4),
        )
        self._values = {_key(first): baseline.value}
        if not math.isnan(baseline.value):
            past = optuna.trial.create_trial(
                params=dict(first), distributions=self._distributions, value=baseline.value
            )
            self._study.add_trial(past)
        self._asked: optuna.Trial | None = None

    def ask(self) -> dict[str, Any] | None:
        """Return a set unlike all before, or None where none was found."""
        for _ in range(_REPEATS if self._distributions else 0):
            self._asked = self._study.ask(self._distributions)
            parameters = _rounded(self._asked.params)
            if _key(parameters) not in self._values:
                return {**parameters, **self._given}
            self.tell(self._values[_key(parameters)])
        return None

    def tell(self, value: float) -> None:
        """Record the value of the set asked for last; NaN where it is undefined."""
        if self._asked is None:
            raise RuntimeError("no set of parameters was asked for")
        self._values[_key(_rounded(self._asked.params))] = value
        failed = math.isnan(value)
        self._study.tell(
            self._asked, None if failed else value, state=TrialState.FAIL if failed else None
        )


class ListedSearch:
    """The search of a retry through a list of sets, in their order."""

    def __init__(self, sets: Iterable[Mapping[str, Any]]) -> None:
        self._sets = iter(sets)

    def ask(self) -> dict[str, Any] | None:
        """Return the next set, or None after the last."""
        found = next(self._sets, None)
        return None if found is None else dict(found)

    def tell(self, value: float) -> None:
        """Do nothing: the list does not depend on values."""


def distribution(one: Range) -> BaseDistribution:
    """Return a range as Optuna's distribution."""
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _direction(*, higher_is_better: bool) -> StudyDirection:
    return StudyDirection.MAXIMIZE if higher_is_better else StudyDirection.MINIMIZE


def _sampler(plan: StudyPlan, worker: str) -> optuna.samplers.BaseSampler:
    """Return a sampler seeded for this process: two that begin together must not try the same."""
    seed = np.random.SeedSequence([plan.seed, zlib.crc32(worker.encode())]).generate_state(1)
    return _tpe(int(seed[0]), plan.startup)


def _tpe(seed: int, startup: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)


def _pruner(plan: StudyPlan) -> optuna.pruners.BasePruner:
    if plan.keep_share == 1:
        return optuna.pruners.NopPruner()
    # One fold alone says little: what it prunes by chance is often what would have been the best.
    return optuna.pruners.PercentilePruner(
        100 * plan.keep_share, n_startup_trials=min(4, plan.startup), n_warmup_steps=1
    )


def _report(trial: FrozenTrial) -> TrialReport:
    folds = tuple(trial.intermediate_values[at] for at in sorted(trial.intermediate_values))
    value = math.nan
    if trial.state is TrialState.COMPLETE and trial.value is not None:
        value = trial.value
    elif trial.state is TrialState.PRUNED and folds:
        value = folds[-1]
    return TrialReport(
        trial.number,
        _STATES[trial.state],
        _rounded(trial.params),
        value,
        folds,
        _utc(trial.datetime_start),
        _utc(trial.datetime_complete),
    )


def _rounded(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round_value(value) for name, value in parameters.items()}


def _key(parameters: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(parameters.items()))


def _utc(moment: datetime | None) -> str:
    """Return a moment in ISO format; Optuna's have the machine's time zone and do not say so."""
    return "" if moment is None else moment.astimezone(UTC).isoformat()
