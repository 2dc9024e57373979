"""`make bench-train`: training and preprocessing against what people do without this project.

Training: the plain recipe of many notebooks, fold by fold on the same rows. Preprocessing: pyarrow
reading and writing the same file, which is the least that any program must do. Everything runs side by
side, in turns, and the medians and their ratios are printed and written to benchmarks/results/train.json.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from lightmodel import wiring
from lightmodel.adapters.formats.reading import read_table
from lightmodel.adapters.progress.silent import SilentProgress
from lightmodel.config import load
from lightmodel.domain.arrays import Codes
from lightmodel.domain.results import FoldFit
from lightmodel.ports.learner import Trainer, TrainingData
from lightmodel.stages.preprocess import Choices, preprocess
from lightmodel.stages.scoring import measure
from lightmodel.stages.train import Recipe, assign_folds, fit_folds, training_data

FOLDER = Path("var/bench")
RESULTS = Path("benchmarks/results/train.json")
PLAIN = {
    "objective": "binary",
    "metric": "auc",
    "learning_rate": 0.01,
    "num_leaves": 13,
    "feature_fraction": 0.05,
    "bagging_fraction": 0.4,
    "bagging_freq": 5,
    "min_data_in_leaf": 80,
    "min_sum_hessian_in_leaf": 10.0,
    "num_threads": 8,
    "verbosity": -1,
    "seed": 0,
}
ARROW = """
import sys, pyarrow.csv
pyarrow.csv.write_csv(pyarrow.csv.read_csv(sys.argv[1]), sys.argv[2])
"""


@dataclass(frozen=True)
class Ours:
    """One run of our binning, folds and refit, in seconds."""

    prepare_s: float
    folds_s: float
    refit_s: float
    fits: list[FoldFit]


class Nothing:
    """Checkpoints that remember nothing: every run starts from nothing."""

    def load(self, fold: int) -> None:
        """Give nothing."""

    def save(self, fold: int, fit: FoldFit) -> None:
        """Keep nothing."""

    def clear(self) -> None:
        """Forget nothing."""


def sample_file(rows: int) -> Path:
    """Write the sample as one CSV, once."""
    path = FOLDER / f"santander-{rows}.csv"
    if not path.exists():
        fetched = wiring.workshop(
            load(sets=[f"data.source=sample://santander?rows={rows}"], environ={}).config,
            SilentProgress(),
        ).fetch()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fetched.paths[0].read_bytes())
    return path


def ours(recipe: Recipe, data: TrainingData, numbers: Codes) -> Ours:
    """Bin, settle the trees' size, fit all folds, and refit, each timed apart."""
    started = time.perf_counter()
    trainer: Trainer = recipe.learner.prepare(data)
    prepared = time.perf_counter()
    fits = fit_folds(trainer, numbers, recipe)
    folded = time.perf_counter()
    trainer.refit(fits)
    return Ours(prepared - started, folded - prepared, time.perf_counter() - folded, fits)


def plain_fold(
    frame: pd.DataFrame, target: np.ndarray, numbers: Codes, fold: int
) -> tuple[float, Any]:
    """Fit one fold by the plain recipe; gives seconds and the held-out scores."""
    train, held_out = np.flatnonzero(numbers != fold), np.flatnonzero(numbers == fold)
    started = time.perf_counter()
    fitted = lgb.Dataset(frame.iloc[train], label=target[train])
    watched = lgb.Dataset(frame.iloc[held_out], label=target[held_out])
    booster = lgb.train(
        PLAIN,
        fitted,
        1_000_000,
        valid_sets=[fitted, watched],
        callbacks=[lgb.early_stopping(80, verbose=False)],
    )
    scores = booster.predict(frame.iloc[held_out], num_iteration=booster.best_iteration)
    return time.perf_counter() - started, scores


def bench_training(path: Path, repeats: int, plain_folds: int) -> dict[str, Any]:
    """Run both in turns on the training rows of the default split."""
    config = load(environ={}).config
    table = read_table([path], config.data)
    split = preprocess(table, Choices(config.data, config.split, config.train), None)
    data = training_data(split.train, split.contract)
    shop = wiring.workshop(config, SilentProgress())
    recipe = Recipe(config.train, config.split, shop.learner(), Nothing(), SilentProgress())
    numbers = assign_folds(split.train, split.contract, recipe)
    frame = pd.DataFrame(data.features, columns=list(data.names))
    del table, split

    runs: list[Ours] = []
    plain_s: list[float] = []
    plain_scores: dict[int, Any] = {}
    for turn in range(max(repeats, plain_folds)):
        if turn < repeats:
            runs.append(ours(recipe, data, numbers))
            print(
                f"ours, run {turn + 1}: {runs[-1].prepare_s + runs[-1].folds_s:.1f} s", flush=True
            )
        if turn < plain_folds:
            seconds, plain_scores[turn] = plain_fold(frame, data.target, numbers, turn)
            plain_s.append(seconds)
            print(f"plain recipe, fold {turn + 1}: {seconds:.1f} s", flush=True)
    return summary(data, numbers, runs, plain_s, plain_scores)


def summary(
    data: TrainingData,
    numbers: Codes,
    runs: list[Ours],
    plain_s: list[float],
    plain_scores: dict[int, Any],
) -> dict[str, Any]:
    """Put seconds and scores of both side by side; scores are of the folds that both fitted."""
    folds = int(numbers.max()) + 1
    both = np.isin(numbers, list(plain_scores))
    mine, theirs = np.full(len(numbers), np.nan), np.full(len(numbers), np.nan)
    for fold, fit in enumerate(runs[-1].fits):
        mine[numbers == fold] = fit.scores
    for fold, scores in plain_scores.items():
        theirs[numbers == fold] = scores
    seconds = statistics.median(run.prepare_s + run.folds_s for run in runs)
    plain_total = statistics.median(plain_s) * folds
    auc = {
        name: measure(data.kind, data.target[both], scores[both], 0.5)["auc"]
        for name, scores in (("ours", mine), ("plain", theirs))
    }
    return {
        "rows": len(numbers),
        "columns": len(data.names),
        "folds": folds,
        "prepare_s": statistics.median(run.prepare_s for run in runs),
        "folds_s": statistics.median(run.folds_s for run in runs),
        "prepare_and_folds_s": seconds,
        "refit_s": statistics.median(run.refit_s for run in runs),
        "plain_folds_measured": len(plain_s),
        "plain_fold_s": statistics.median(plain_s),
        "plain_s": plain_total,
        "times_faster": plain_total / seconds,
        "auc_all_folds": measure(data.kind, data.target, mine, 0.5)["auc"],
        "auc_same_folds": auc["ours"],
        "plain_auc_same_folds": auc["plain"],
    }


def timed(command: list[str]) -> tuple[float, float]:
    """Run a process; gives wall seconds and its peak memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed with {status}")
    scale = 1e6 if platform.system() == "Darwin" else 1e3
    return time.perf_counter() - started, usage.ru_maxrss / scale


def bench_preprocess(path: Path, repeats: int) -> dict[str, Any]:
    """Time whole processes: ours, and pyarrow reading and writing the same file."""
    mine, theirs = [], []
    for _ in range(repeats):
        theirs.append(timed([sys.executable, "-c", ARROW, str(path), str(FOLDER / "copy.csv")]))
        sets = [f"data.source={path}", f"store.root={FOLDER}"]
        options = [word for item in sets for word in ("--set", item)]
        mine.append(timed([sys.executable, "run.py", "preprocess", "--force", *options]))
    seconds, peer = (statistics.median(run[0] for run in runs) for runs in (mine, theirs))
    return {
        "megabytes": path.stat().st_size / 1e6,
        "seconds": seconds,
        "arrow_seconds": peer,
        "times_arrow": seconds / peer,
        "peak_mb": max(run[1] for run in mine),
        "arrow_peak_mb": max(run[1] for run in theirs),
    }


def show(results: dict[str, Any]) -> None:
    """Print both comparisons as tables."""
    train, pre = results["train"], results["preprocess"]
    table = Table(title=f"binning and {train['folds']} folds, {train['rows']:,} rows")
    for name in ("", "seconds", "times faster", "AUC of the same folds"):
        table.add_column(name, justify="left" if not name else "right")
    measured = f"plain recipe ({train['plain_folds_measured']} folds measured, times ten)"
    table.add_row(measured, f"{train['plain_s']:.0f}", "1", f"{train['plain_auc_same_folds']:.5f}")
    table.add_row(
        f"light-model (of it {train['prepare_s']:.1f} s binning and choosing the trees' size)",
        f"{train['prepare_and_folds_s']:.1f}",
        f"{train['times_faster']:.1f}",
        f"{train['auc_same_folds']:.5f}",
    )
    table.add_row("light-model, the refit, apart", f"{train['refit_s']:.1f}", "", "")
    Console().print(table)
    table = Table(title=f"preprocess of {pre['megabytes']:.0f} MB of CSV, whole processes")
    for name in ("", "seconds", "times pyarrow", "peak MB"):
        table.add_column(name, justify="left" if not name else "right")
    table.add_row(
        "pyarrow, read and write", f"{pre['arrow_seconds']:.1f}", "1", f"{pre['arrow_peak_mb']:.0f}"
    )
    table.add_row(
        "light-model preprocess",
        f"{pre['seconds']:.1f}",
        f"{pre['times_arrow']:.2f}",
        f"{pre['peak_mb']:.0f}",
    )
    Console().print(table)


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plain-folds", type=int, default=2, help="10 measures all of it")
    options = parser.parse_args()
    path = sample_file(options.rows)
    results = {
        "machine": {
            "cores": wiring.threads_of(load(environ={}).config),
            "python": platform.python_version(),
        },
        "preprocess": bench_preprocess(path, options.repeats),
        "train": bench_training(path, options.repeats, options.plain_folds),
    }
    show(results)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
