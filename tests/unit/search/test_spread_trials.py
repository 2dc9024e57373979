"""Trials whose folds are fitted by the workers of a real cluster."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightmodel.cluster.client import close_clusters, open_cluster
from lightmodel.errors import ConfigError
from lightmodel.learners.base import Folds
from lightmodel.learners.lightgbm_trials import LightGBMTrials
from lightmodel.search.spread_trials import SpreadTrials
from lightmodel.search.trials import TrialContext, run_trials
from tests.fakes.dask_cluster import dask_cluster
from tests.unit.search.test_trials import FOLDS, context_of

pytestmark = pytest.mark.dask


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TrialContext, SpreadTrials]]:
    """Trials of this process, and the same spread over two workers."""
    folder = tmp_path_factory.mktemp("dask")
    context = context_of(folder)
    assert isinstance(context.fitter, LightGBMTrials)
    with dask_cluster(folder) as workers:
        cluster = open_cluster(workers.section())
        yield context, SpreadTrials.of(context.fitter, Folds(context.fold_numbers), cluster)
        close_clusters()
    context.study.close()


@pytest.mark.parametrize(
    "parameters", [{}, {"num_leaves": 5, "learning_rate": 0.1}, {"max_depth": 2}]
)
def test_a_fold_is_that_of_this_process(
    spread: tuple[TrialContext, SpreadTrials], parameters: dict[str, float]
) -> None:
    context, trials = spread
    for fold in range(FOLDS):
        here, there = (one.fit_fold(parameters, fold) for one in (context.fitter, trials))
        np.testing.assert_array_equal(here.scores, there.scores)
        assert (here.rounds, here.curve) == (there.rounds, there.curve)


def test_parameters_that_lightgbm_rejects_are_named(
    spread: tuple[TrialContext, SpreadTrials],
) -> None:
    with pytest.raises(ConfigError, match="LightGBM rejects"):
        spread[1].fit_fold({"num_leaves": 1}, 0)


def test_a_study_runs_on_as_many_threads_as_the_workers_have(
    spread: tuple[TrialContext, SpreadTrials], tmp_path: Path
) -> None:
    assert spread[1].parallel == 2
    context = replace(context_of(tmp_path), fitter=spread[1])
    run_trials(context, lambda: False)
    states = [trial.state for trial in context.study.trials()]
    context.study.close()
    assert states == ["complete"] * context.study.plan.trials


def test_trials_that_are_stopped_are_given_up(spread: tuple[TrialContext, SpreadTrials]) -> None:
    stopped = replace(spread[1], stopped=threading.Event())
    stopped.stop()
    with pytest.raises(CancelledError):
        stopped.fit_fold({}, 0)
