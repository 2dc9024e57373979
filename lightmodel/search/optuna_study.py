"""Studies by Optuna: a Tree-structured Parzen Estimator asks, a percentile of the best prunes."""

import math
import threading
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from lightmodel.search.base import Asked, StudyPlan
from lightmodel.search.presence import WORKER, Presence
from lightmodel.search.space import Range, TrialReport, shortened
from lightmodel.search.space import TrialState as Named
from lightmodel.search.storages import answering

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

_HOPELESS = 10
_COUNTS = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)
_NAMES: Mapping[TrialState, Named] = {
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


class OptunaStudy:
    """One process's part in a study."""

    def __init__(self, plan: StudyPlan, storage: "BaseStorage", presence: Presence) -> None:
        """Open the study of the plan's name, or begin it.

        Raises:
            SourceUnavailable: the store does not answer.
        """
        optuna.logging.disable_default_handler()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._plan = plan
        self._presence = presence
        self._lock = threading.Lock()
        self._distributions = {one.name: distribution(one) for one in plan.ranges}
        self._own: dict[int, optuna.Trial] = {}
        with answering():
            self._study = optuna.create_study(
                study_name=plan.name,
                storage=storage,
                load_if_exists=True,
                direction="maximize" if plan.higher_is_better else "minimize",
                sampler=_sampler(plan, presence.worker),
                pruner=_pruner(plan),
            )
            presence.fail_the_dead(self._study)
            if not self._study.get_trials(deepcopy=False, states=(*_COUNTS, TrialState.WAITING)):
                self._study.enqueue_trial(dict(plan.first))

    def ask(self) -> Asked | None:
        """Give the next trial; None: enough are made or under way."""
        with self._lock, answering():
            self._presence.fail_the_dead(self._study)
            if self._before(None) >= self._plan.trials or self._is_hopeless():
                return None
            trial = self._study.ask(self._distributions)
            self._presence.begin(trial._trial_id)
            trial.set_user_attr(WORKER, self._presence.worker)
            if self._before(trial.number) >= self._plan.trials:  # another process was quicker
                self._study.tell(trial, state=TrialState.FAIL)
                self._presence.end(trial._trial_id)
                return None
            self._own[trial.number] = trial
            return Asked(trial.number, _short(trial.params))

    def _is_hopeless(self) -> bool:
        """Say whether no trial ever got a value, and many tried: the metric is undefined here."""
        every = self._study.get_trials(deepcopy=False)
        failed = sum(trial.state is TrialState.FAIL for trial in every)
        return failed >= _HOPELESS and failed == len(every)

    def _before(self, number: int | None) -> int:
        """Count the trials that are made or under way: all, or those before a number."""
        counted = self._study.get_trials(deepcopy=False, states=_COUNTS)
        return sum(number is None or trial.number < number for trial in counted)

    def report(self, number: int, fold: int, value: float) -> bool:
        """Take the value after a fold; True: the trial is not worth going on with."""
        with self._lock, answering():
            try:
                self._own[number].report(value, fold)
            except optuna.exceptions.UpdateFinishedTrialError:  # others took this process for dead
                return True
            return self._own[number].should_prune()

    def complete(self, number: int, value: float) -> None:
        """Take a finished trial's value."""
        if math.isnan(value):
            self.fail(number)
        else:
            self._tell(number, value, TrialState.COMPLETE)

    def prune(self, number: int) -> None:
        """End a trial that was not worth going on with."""
        self._tell(number, None, TrialState.PRUNED)

    def fail(self, number: int) -> None:
        """Give a trial up."""
        self._tell(number, None, TrialState.FAIL)

    def _tell(self, number: int, value: float | None, state: TrialState) -> None:
        with self._lock, answering():
            self._study.tell(number, value, state=state, skip_if_finished=True)
            self._presence.end(self._own[number]._trial_id)

    def trials(self) -> tuple[TrialReport, ...]:
        """Give all trials by number."""
        with self._lock, answering():
            self._presence.fail_the_dead(self._study)
            every = self._study.get_trials(deepcopy=False)
        return tuple(_report(trial) for trial in every if trial.state is not TrialState.WAITING)

    def close(self) -> None:
        """Say that this process works on it no more."""
        self._presence.close()


def distribution(one: Range) -> BaseDistribution:
    """Give Optuna's form of a range."""
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _sampler(plan: StudyPlan, worker: str) -> optuna.samplers.BaseSampler:
    """Draw otherwise in every process: two that begin together must not try the same."""
    seed = np.random.SeedSequence([plan.seed, zlib.crc32(worker.encode())]).generate_state(1)
    return tpe(int(seed[0]), plan.startup)


def tpe(seed: int, startup: int) -> optuna.samplers.BaseSampler:
    """Give the sampler of all searches."""
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)


def _pruner(plan: StudyPlan) -> optuna.pruners.BasePruner:
    if plan.keep_share == 1:
        return optuna.pruners.NopPruner()
    # One fold alone says little: what it gives up by chance is often what would have been the best.
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
        _NAMES[trial.state],
        _short(trial.params),
        value,
        folds,
        _utc(trial.datetime_start),
        _utc(trial.datetime_complete),
    )


def _short(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: shortened(value) for name, value in values.items()}


def _utc(moment: datetime | None) -> str:
    """Write a moment; Optuna's have the machine's own time zone and do not say so."""
    return "" if moment is None else moment.astimezone(UTC).isoformat()
