"""Run the trials of a study in parallel, and score each out of fold, one fold at a time."""

import math
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lightmodel.config import Config, TrainSection
from lightmodel.contract.cells import Codes, Scores
from lightmodel.contract.results import FoldFit
from lightmodel.contract.task import TaskKind
from lightmodel.interruption import raise_if_interrupted
from lightmodel.learners.base import Folds, TrainingData
from lightmodel.learners.boosting import Stopping, fold_datasets
from lightmodel.learners.lightgbm import LightGBMLearner, LightGBMTrainer, LightGBMTrials
from lightmodel.learners.lightgbm_parameters import main_names
from lightmodel.progress import Progress
from lightmodel.search.studies import OptunaStudy, Trial
from lightmodel.training.metrics import choose_threshold, measure

_POLL_S = 0.2


class TrialFitter(Protocol):
    """Fits the folds of trials."""

    @property
    def parallel(self) -> int:
        """The number of folds that may be fitted in parallel."""
        ...

    def fit_fold(self, parameters: Mapping[str, Any], fold: int) -> FoldFit:
        """Fit one fold with a trial's parameters.

        Raises:
            CancelledError: `stop` was called.
            ConfigError: the learner rejects the parameters.
        """
        ...

    def stop(self) -> None:
        """Cancel the folds that are being fitted."""
        ...


@dataclass(frozen=True)
class TrialContext:
    """What the trials of a study share.

    Attributes:
        data: the training rows.
        fold_numbers: (rows,) number of the fold that holds each row out, -1 for none.
        section: training settings; they say how the decision threshold is chosen.
    """

    data: TrainingData
    fold_numbers: Codes
    section: TrainSection
    fitter: TrialFitter
    study: OptunaStudy
    progress: Progress


def prepare_trials(
    config: Config, data: TrainingData, folds: Folds, threads: int
) -> LightGBMTrials:
    """Prepare the training rows once for all trials of a study.

    Args:
        config: whose `train` and `tune` sections say what is fitted and when it stops.
        data: the training rows.
        folds: of a trial.
        threads: number of folds fitted in parallel, with one thread each.
    """
    train, tune = config.train, config.tune
    learner = LightGBMLearner(train.parameters, train.seed, threads, keep_fold_models=False)
    trainer = learner.prepare(data)
    rounds = min(tune.max_rounds, trainer.stopping.max_rounds)
    stopping = Stopping(rounds, tune.patience, trainer.stopping.evaluate_every)
    given = frozenset(main_names(train.parameters))
    return trials_of(trainer, folds, given, stopping, threads)


def trials_of(
    trainer: LightGBMTrainer, folds: Folds, given: frozenset[str], stopping: Stopping, threads: int
) -> LightGBMTrials:
    """Return a binned table, cut into the folds of trials."""
    datasets = [fold_datasets(trainer.dataset, *folds.rows(fold)) for fold in range(folds.count)]
    return LightGBMTrials(trainer, datasets, given, stopping, threads)


def run_trials(context: TrialContext, is_over: Callable[[], bool]) -> None:
    """Run trials until the study has enough, or `is_over` returns true: running ones then fail."""
    count = context.fitter.parallel
    pool = ThreadPoolExecutor(count, thread_name_prefix="trial")
    with context.progress.task("search", total=context.study.plan.trials, unit="trials") as advance:

        def work() -> None:
            with suppress(CancelledError):
                while not is_over() and (trial := context.study.ask()) is not None:
                    _run(context, trial)
                    advance(1)

        try:
            waiting = {pool.submit(work) for _ in range(count)}
            while waiting:
                done, waiting = wait(waiting, timeout=_POLL_S, return_when=FIRST_EXCEPTION)
                raise_if_interrupted()
                for future in done:
                    future.result()
                if is_over():
                    context.fitter.stop()
        except BaseException:
            context.fitter.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _run(context: TrialContext, trial: Trial) -> None:
    """Run a trial, and mark it as failed if it raises."""
    try:
        _fit_folds(context, trial)
    except BaseException:
        context.study.fail(trial.number)
        raise


def _fit_folds(context: TrialContext, trial: Trial) -> None:
    last = int(context.fold_numbers.max())
    fits: list[FoldFit] = []
    value = math.nan
    for fold in range(last + 1):
        fits.append(context.fitter.fit_fold(trial.parameters, fold))
        value = score(context, fits)
        if math.isnan(value) or fold == last:
            continue
        if context.study.report(trial.number, fold, value):
            context.study.prune(trial.number)
            return
    context.study.complete(trial.number, value)


def score(context: TrialContext, fits: list[FoldFit]) -> float:
    """Return the metric over all rows that the folds fitted so far hold out."""
    numbers = context.fold_numbers
    rows = np.concatenate([np.flatnonzero(numbers == fold) for fold in range(len(fits))])
    scores: Scores = np.concatenate([fit.scores for fit in fits])
    target, weights, threshold = context.data.target[rows], context.data.weights_of(rows), None
    if context.data.kind is TaskKind.BINARY and len(np.unique(target)) == 2:
        codes = target.astype(np.int64)
        threshold = choose_threshold(codes, scores, context.section, weights)
    metrics = measure(context.data.task, target, scores, threshold, weights)
    return metrics[context.study.plan.metric.name]
