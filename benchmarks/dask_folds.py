"""`make bench-dask`: folds on one worker of a Dask cluster, on two, and in this process.

All fit the same ten folds of the same binned table, in turns; the scores are compared, bit for bit. A
worker has one thread. What is timed includes the sending of the table to workers that do not have it.
Medians of wall seconds are printed, and written to benchmarks/results/dask_folds.json.
"""

import argparse
import json
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from lightmodel.cluster.client import close_clusters, open_cluster
from lightmodel.config import DaskSection
from lightmodel.contract.cells import Scores
from lightmodel.contract.task import Task, TaskKind
from lightmodel.learners.base import Folds, Learner, Trainer, TrainingData
from lightmodel.learners.lightgbm import LightGBMLearner
from lightmodel.training.spread import SpreadLearner

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/dask_folds.json"
FOLDS = 10
START_S = 120.0


def table_of(rows: int, columns: int) -> TrainingData:
    """Return a table whose target depends on a few columns."""
    random = np.random.default_rng(0)
    features = random.normal(size=(rows, columns))
    target = (features[:, :10].sum(axis=1) + random.normal(0, 3, rows) > 0).astype(np.float64)
    names = tuple(f"f{number}" for number in range(columns))
    return TrainingData(features, target, names, (), Task(TaskKind.BINARY, (0, 1)))


def address_in(file: Path) -> str:
    """Return the address in the scheduler's file; "" until it is written."""
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["address"])
    except (FileNotFoundError, ValueError):
        return ""


@contextmanager
def cluster_of(workers: int, folder: Path) -> Iterator[DaskSection]:
    """Start a scheduler and workers of one thread, and end them."""
    file, dask = folder / "scheduler.json", [sys.executable, "-m", "dask"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = ["worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard"]
    with ExitStack() as stack:
        for command in ([*words, "--scheduler-file", str(file)], *[worker] * workers):
            process = subprocess.Popen(
                [*dask, *command], cwd=folder, env=environ, stderr=subprocess.DEVNULL
            )
            stack.enter_context(process)
            stack.callback(process.terminate)
        deadline = time.monotonic() + START_S
        while not (address := address_in(file)) and time.monotonic() < deadline:
            time.sleep(0.1)
        section = DaskSection(scheduler=address, engine="dask", timeout_s=START_S)
        while open_cluster(section).threads < workers and time.monotonic() < deadline:
            time.sleep(0.1)
        yield section
        close_clusters()


def fit(learner: Learner, trainer: Trainer, folds: Folds) -> tuple[float, list[Scores]]:
    """Fit all folds, and return wall seconds and the scores of each."""
    started = time.perf_counter()
    with ThreadPoolExecutor(learner.parallel_folds) as pool:
        fits = list(pool.map(lambda fold: trainer.fit_fold(*folds.rows(fold)), range(folds.count)))
    return time.perf_counter() - started, [one.scores for one in fits]


def measure(data: TrainingData, rounds: int, turns: int, folder: Path) -> dict[str, list[float]]:
    """Return the wall seconds of each way, in turns; the scores of all must be the same."""
    folds = Folds(np.arange(len(data.target)) % FOLDS)
    parameters = {"num_leaves": 31, "learning_rate": 0.05, "max_rounds": rounds, "patience": rounds}
    seconds: dict[str, list[float]] = {"one worker": [], "two workers": [], "this process": []}
    expected: list[Scores] = []
    for _ in range(turns):
        for workers, way in enumerate(seconds, 1):
            learner: Learner = LightGBMLearner(parameters, 0, 2, keep_fold_models=False)
            with ExitStack() as stack:
                if way != "this process":
                    place = folder / f"{time.monotonic_ns()}"
                    place.mkdir()
                    cluster = open_cluster(stack.enter_context(cluster_of(workers, place)))
                    learner = SpreadLearner(learner, cluster, None)
                taken, scores = fit(learner, learner.prepare(data), folds)
            seconds[way].append(taken)
            expected = expected or scores
            for one, other in zip(scores, expected, strict=True):
                np.testing.assert_array_equal(one, other)
    return seconds


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--columns", type=int, default=100)
    arguments.add_argument("--rounds", type=int, default=300)
    arguments.add_argument("--turns", type=int, default=3)
    given = arguments.parse_args()
    logging.basicConfig(level=logging.WARNING)
    data = table_of(given.rows, given.columns)
    with tempfile.TemporaryDirectory() as name:
        seconds = measure(data, given.rounds, given.turns, Path(name))
    medians = {way: statistics.median(runs) for way, runs in seconds.items()}
    for way, median in medians.items():
        print(
            f"{way}: {median:.1f} s, {medians['one worker'] / median:.2f} times one worker's speed"
        )
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    results = {"machine": machine, "table": vars(given), "seconds": seconds, "medians": medians}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
