"""A study's trials, run side by side and each scored fold by fold out of fold."""

import math
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from lightmodel.config import TrainSection
from lightmodel.contract.cells import Codes, Scores
from lightmodel.contract.results import FoldFit
from lightmodel.contract.task import Metric, TaskKind
from lightmodel.learners.base import TrainingData
from lightmodel.learners.lightgbm import LightGBMTrials
from lightmodel.progress.base import Progress
from lightmodel.search.base import Trial
from lightmodel.search.studies import OptunaStudy
from lightmodel.training.metrics import measure
from lightmodel.training.threshold import choose_threshold

_POLL_S = 0.2


@dataclass(frozen=True)
class TrialContext:
    """What the trials of a study have in common.

    Attributes:
        data: the training rows.
        numbers: (rows,) number of the fold that holds each row out, -1 for none.
        section: says how a threshold is chosen.
        metric: the metric to optimise.
        fitter: fits a fold with given parameters.
        study: chooses the parameters.
        progress: shows how many trials have ended.
        trials: their number in all.
    """

    data: TrainingData
    numbers: Codes
    section: TrainSection
    metric: Metric
    fitter: LightGBMTrials
    study: OptunaStudy
    progress: Progress
    trials: int


def run_trials(context: TrialContext, is_over: Callable[[], bool]) -> None:
    """Run trials until the study has enough or `is_over`, which fails those that are running."""
    count = context.fitter.at_once
    pool = ThreadPoolExecutor(count, thread_name_prefix="trial")
    with context.progress.task("search", total=context.trials, unit="trials") as steps:

        def work() -> None:
            while not is_over() and (trial := context.study.ask()) is not None:
                if not _run(context, trial):
                    return
                steps.advance()

        try:
            waiting = {pool.submit(work) for _ in range(count)}
            while waiting:
                done, waiting = wait(waiting, timeout=_POLL_S, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
                if is_over():
                    context.fitter.stop()
        except BaseException:
            context.fitter.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _run(context: TrialContext, trial: Trial) -> bool:
    """Run a trial, and return whether it ended by itself."""
    try:
        _fit_folds(context, trial)
    except BaseException as error:
        context.study.fail(trial.number)
        if isinstance(error, CancelledError):
            return False
        raise
    return True


def _fit_folds(context: TrialContext, trial: Trial) -> None:
    last = int(context.numbers.max())
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
    """Return the metric of the rows that the first folds hold out, taken together."""
    rows = np.concatenate([np.flatnonzero(context.numbers == fold) for fold in range(len(fits))])
    scores: Scores = np.concatenate([fit.scores for fit in fits])
    target, threshold = context.data.target[rows], None
    if context.data.kind is TaskKind.BINARY and len(np.unique(target)) == 2:
        threshold = choose_threshold(target.astype(np.int64), scores, context.section)
    return measure(context.data.kind, target, scores, threshold)[context.metric.name]
