"""A search for better parameters: trials side by side, each scored fold by fold out of fold."""

import math
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from lightmodel.config import TrainSection
from lightmodel.contract.arrays import Codes, Scores
from lightmodel.contract.metrics import Metric
from lightmodel.contract.results import FoldFit
from lightmodel.contract.task import TaskKind
from lightmodel.learners.base import TrainingData
from lightmodel.progress.base import Progress, Steps
from lightmodel.search.base import Asked, Study, TrialFitter
from lightmodel.training.metrics import measure
from lightmodel.training.threshold import choose_threshold

_LOOK_S = 0.2


@dataclass(frozen=True)
class Bench:
    """What trials are made on.

    Attributes:
        data: the training rows.
        numbers: (rows,) the fold that holds each row out, -1 for none.
        section: says how a threshold is chosen.
        metric: that is searched for.
        fitter: fits a fold.
        study: asks and is told.
        progress: shows work under way.
        trials: to be made in all; for the progress.
    """

    data: TrainingData
    numbers: Codes
    section: TrainSection
    metric: Metric
    fitter: TrialFitter
    study: Study
    progress: Progress
    trials: int


def search(bench: Bench, is_over: Callable[[], bool]) -> None:
    """Make trials until the study has enough, or `is_over`: then what is under way is given up."""
    pool = ThreadPoolExecutor(bench.fitter.at_once, thread_name_prefix="trial")
    with bench.progress.task("search", total=bench.trials, unit="trials") as steps:
        try:
            waiting = {
                pool.submit(_work, bench, is_over, steps) for _ in range(bench.fitter.at_once)
            }
            while waiting:
                done, waiting = wait(waiting, timeout=_LOOK_S, return_when=FIRST_EXCEPTION)
                for one in done:
                    one.result()
                if is_over():
                    bench.fitter.stop()
        except BaseException:
            bench.fitter.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _work(bench: Bench, is_over: Callable[[], bool], steps: Steps) -> None:
    while not is_over():
        asked = bench.study.ask()
        if asked is None:
            return
        try:
            _try(bench, asked)
        except CancelledError:
            bench.study.fail(asked.number)
            return
        except BaseException:
            bench.study.fail(asked.number)
            raise
        steps.advance()


def _try(bench: Bench, asked: Asked) -> None:
    count = int(bench.numbers.max()) + 1
    fits: list[FoldFit] = []
    value = math.nan
    for fold in range(count):
        fits.append(bench.fitter.fit_fold(asked.parameters, fold))
        value = score(bench, fits)
        if math.isnan(value) or fold + 1 == count:
            continue
        if bench.study.report(asked.number, fold, value):
            bench.study.prune(asked.number)
            return
    bench.study.complete(asked.number, value)


def score(bench: Bench, fits: list[FoldFit]) -> float:
    """Give the metric of the rows that the first folds hold out, all together."""
    rows = np.concatenate([np.flatnonzero(bench.numbers == fold) for fold in range(len(fits))])
    scores: Scores = np.concatenate([fit.scores for fit in fits])
    target, threshold = bench.data.target[rows], None
    if bench.data.kind is TaskKind.BINARY and len(np.unique(target)) == 2:
        threshold = choose_threshold(target.astype(np.int64), scores, bench.section)
    return measure(bench.data.kind, target, scores, threshold)[bench.metric.name]
