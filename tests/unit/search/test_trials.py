"""A study's trials on a small table: their number, what stops them, and how they are scored."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lightmodel.config import Config
from lightmodel.contract.results import FoldFit
from lightmodel.contract.task import METRICS, Task, TaskKind
from lightmodel.errors import ConfigError
from lightmodel.learners.base import Folds, TrainingData
from lightmodel.learners.lightgbm_trials import LightGBMTrials
from lightmodel.progress import SilentProgress
from lightmodel.search.ranges import Range, search_space, starting_point
from lightmodel.search.studies import StudyPlan, open_study
from lightmodel.search.trials import TrialContext, prepare_trials, run_trials, score

FOLDS, ROWS = 3, 150


def context_of(
    folder: Path, ranges: tuple[Range, ...] = (), percentile: float = 100.0
) -> TrialContext:
    random = np.random.default_rng(0)
    features = random.normal(size=(ROWS, 3))
    target = (features[:, 0] + random.normal(0, 0.5, ROWS) > 0).astype(float)
    data = TrainingData(features, target, ("a", "b", "c"), (), Task(TaskKind.BINARY, (0, 1)))
    numbers = np.arange(ROWS) % FOLDS
    config = Config.model_validate({"tune": {"max_rounds": 10}, "store": {"work": folder}})
    fitter = prepare_trials(config, data, Folds(numbers), threads=2)
    ranges = ranges or search_space(config, include_fixed=False).ranges
    first = starting_point(ranges, fitter.trainer.parameters)
    plan = StudyPlan("study", ranges, METRICS["auc"], 0, 5, 2, percentile, first)
    return TrialContext(
        data, numbers, config.train, fitter, open_study(config, plan), SilentProgress()
    )


@pytest.fixture
def context(tmp_path: Path) -> Iterator[TrialContext]:
    created = context_of(tmp_path)
    yield created
    created.study.close()


def test_a_study_runs_exactly_its_number_of_trials(context: TrialContext) -> None:
    for _ in range(2):
        run_trials(context, lambda: False)
        trials = context.study.trials()
        assert [trial.state for trial in trials] == ["complete"] * context.study.plan.trials
    assert all(len(trial.folds) == FOLDS - 1 for trial in trials)


def test_a_finished_trial_is_scored_on_all_rows_together(context: TrialContext) -> None:
    run_trials(context, lambda: False)
    first = context.study.trials()[0]
    fits = [context.fitter.fit_fold(first.parameters, fold) for fold in range(FOLDS)]
    assert first.value == pytest.approx(score(context, fits), abs=0.02)


def test_running_trials_fail_when_the_time_is_over(context: TrialContext) -> None:
    started = threading.Event()

    class Blocked(LightGBMTrials):
        def fit_fold(self, parameters: Mapping[str, Any], fold: int) -> FoldFit:
            started.set()
            self.trainer.cancelled.wait()
            return super().fit_fold(parameters, fold)

    real = context.fitter
    assert isinstance(real, LightGBMTrials)
    blocked = Blocked(real.trainer, real.folds, real.given, real.stopping, real.parallel)
    run_trials(replace(context, fitter=blocked), started.is_set)
    assert {trial.state for trial in context.study.trials()} == {"failed"}


def test_parameters_that_lightgbm_refuses_end_the_search_and_fail_the_trial(tmp_path: Path) -> None:
    context = context_of(tmp_path, (Range("feature_fraction", 1.5, 2.0),))
    with pytest.raises(ConfigError, match="LightGBM rejects"):
        run_trials(context, lambda: False)
    assert "complete" not in {trial.state for trial in context.study.trials()}
    context.study.close()


def test_trials_are_scored_by_the_weights_of_the_rows(context: TrialContext) -> None:
    weights = np.where(np.arange(ROWS) % 2, 5.0, 0.2)
    fits = [context.fitter.fit_fold({}, fold) for fold in range(FOLDS)]
    weighted = replace(context, data=replace(context.data, weights=weights))
    order = np.argsort(context.fold_numbers, kind="stable")
    scores = np.concatenate([fit.scores for fit in fits])
    expected = roc_auc_score(context.data.target[order], scores, sample_weight=weights[order])
    assert score(weighted, fits) == pytest.approx(expected)
    assert score(context, fits) != pytest.approx(expected)
