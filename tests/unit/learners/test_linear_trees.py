"""Trees with linear leaves: they are fitted by several folds at once, and have no contributions."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from lightmodel.contract.task import Task, TaskKind
from lightmodel.learners.base import TrainingData, contribution_function
from lightmodel.learners.boosting import fold_datasets
from lightmodel.learners.lightgbm import LightGBMLearner, LightGBMTrainer

ROWS = np.arange(2_000)


def prepared(threads: int, *, linear: bool = True) -> LightGBMTrainer:
    random = np.random.default_rng(0)
    features = np.asfortranarray(random.normal(size=(len(ROWS), 6)))
    target = features[:, 0] + random.normal(size=len(ROWS))
    data = TrainingData(features, target, tuple("abcdef"), (), Task(TaskKind.REGRESSION))
    parameters = {"linear_tree": linear, "num_leaves": 8, "max_rounds": 30}
    return LightGBMLearner(parameters, 0, threads, keep_fold_models=False).prepare(data)


def parts(fold: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    held_out = np.isin(ROWS % 8, fold)
    return ROWS[~held_out], ROWS[held_out]


def fit_in_parallel() -> None:
    """Fit eight folds, four at a time; this is run in a process of its own, which may end."""
    trainer = prepared(4)
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(trainer.fit_fold, *parts(fold)) for fold in range(8)]
        trainer.refit([task.result() for task in tasks])


def test_folds_in_parallel_do_not_end_the_process() -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    ran = subprocess.run(
        [sys.executable, __file__], env=environ, capture_output=True, timeout=600, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_every_call_of_a_training_sets_the_same_number_of_threads() -> None:
    trainer = prepared(4)
    for dataset in (trainer.dataset, *fold_datasets(trainer.dataset, *parts(0))):
        assert dataset.params is not None
        assert dataset.params["num_threads"] == trainer.parameters["num_threads"] == 1


def test_only_trees_with_plain_leaves_have_contributions() -> None:
    for linear in (True, False):
        trainer = prepared(1, linear=linear)
        fold = trainer.fit_fold(*parts(0))
        model = trainer.refit([fold, fold])
        assert (contribution_function(model) is None) is linear


if __name__ == "__main__":
    fit_in_parallel()
