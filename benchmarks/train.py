"""`make bench-train`: training against what people do without this project.

The plain recipe of many notebooks, fold by fold on the same rows; side by side, in turns. The medians and
their ratio are printed and written to benchmarks/results/train.json.
"""

import argparse
import json
import platform
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from lightmodel.config import load
from lightmodel.config.threads import threads_of
from lightmodel.contract.cells import Codes, Vector
from lightmodel.contract.results import FoldFit
from lightmodel.learners.base import Folds, Trainer, TrainingData
from lightmodel.pipeline.train import train_spec
from lightmodel.progress import SilentProgress
from lightmodel.sources.factory import fetch_table
from lightmodel.tables.reading import read_table
from lightmodel.training.cross_validation import TrainSpec, fit_folds, training_data
from lightmodel.training.folds import assign_folds
from lightmodel.training.metrics import measure
from lightmodel.training.preprocess import PreprocessOptions, preprocess

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
FEWEST_ROUNDS = 1_000  # a fold of the plain recipe with fewer gave up


@dataclass(frozen=True)
class Ours:
    """One run of our binning, folds and refit, in seconds."""

    prepare_s: float
    folds_s: float
    refit_s: float
    fits: list[FoldFit]


@dataclass(frozen=True)
class Plain:
    """One fold by the plain recipe: its number, seconds, rounds kept, and held-out scores."""

    fold: int
    seconds: float
    rounds: int
    scores: Vector


def sample_file(rows: int) -> Path:
    """Write the sample as one CSV, once."""
    path = FOLDER / f"santander-{rows}.csv"
    if not path.exists():
        config = load(sets=[f"data.source=sample://santander?rows={rows}"], environ={}).config
        fetched = fetch_table(config, SilentProgress())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fetched.paths[0].read_bytes())
    return path


def ours(spec: TrainSpec, data: TrainingData, folds: Folds) -> Ours:
    """Bin, choose the size of the trees, fit all folds and refit; time each step."""
    started = time.perf_counter()
    trainer: Trainer = spec.learner.prepare(data)
    prepared = time.perf_counter()
    fits = fit_folds(trainer, folds, spec)
    folded = time.perf_counter()
    trainer.refit(fits)
    return Ours(prepared - started, folded - prepared, time.perf_counter() - folded, fits)


def plain_fold(frame: pd.DataFrame, target: Vector, numbers: Codes, fold: int) -> Plain:
    """Fit one fold by the plain recipe."""
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
    scores = np.asarray(booster.predict(frame.iloc[held_out]))
    seconds = time.perf_counter() - started
    print(f"plain, fold {fold + 1}: {seconds:.1f} s, {booster.best_iteration} rounds", flush=True)
    return Plain(fold, seconds, booster.best_iteration, scores)


def bench_training(path: Path, repeats: int, plain_folds: int) -> dict[str, Any]:
    """Run both in turns on the training rows of the default split."""
    config = load(environ={}).config
    table = read_table([path], config.data)
    split = preprocess(table, PreprocessOptions(config.data, config.split, config.train), None)
    data = training_data(split.train, split.contract)
    spec = replace(train_spec(config, "", SilentProgress()), checkpoints=None)
    folds = assign_folds(split.train, split.contract, config.train, config.split)
    data, numbers = replace(data, folds=folds), folds.numbers
    frame = pd.DataFrame(data.features, columns=list(data.names))
    del table, split
    runs: list[Ours] = []
    plain: list[Plain] = []
    for turn in range(max(repeats, plain_folds)):
        if turn < repeats:
            runs.append(ours(spec, data, folds))
            print(
                f"ours, run {turn + 1}: {runs[-1].prepare_s + runs[-1].folds_s:.1f} s", flush=True
            )
        if turn < plain_folds:
            plain.append(plain_fold(frame, data.target, numbers, turn))
    return summary(data, numbers, runs, plain)


def summary(
    data: TrainingData, numbers: Codes, runs: list[Ours], plain: list[Plain]
) -> dict[str, Any]:
    """Return seconds and scores side by side.

    The plain recipe's early stopping gives up in some folds after a few hundred rounds, with a far worse
    model. So two figures stand for it: what it really took, and ten times a fold that ran in full; and the
    AUC is the mean over the folds that ran in full.
    """
    full = [fold for fold in plain if fold.rounds >= FEWEST_ROUNDS]
    seconds = statistics.median(run.prepare_s + run.folds_s for run in runs)
    in_full = 10 * statistics.median(fold.seconds for fold in full)
    as_it_is = sum(fold.seconds for fold in plain) * 10 / len(plain)
    scores = np.full(len(numbers), np.nan)
    for at, fit in enumerate(runs[-1].fits):
        scores[numbers == at] = fit.scores

    def auc(fold: int, scores: Vector) -> float:
        return measure(data.task, data.target[numbers == fold], scores, 0.5)["auc"]

    return {
        "rows": len(numbers),
        "columns": len(data.names),
        "prepare_s": statistics.median(run.prepare_s for run in runs),
        "folds_s": statistics.median(run.folds_s for run in runs),
        "prepare_and_folds_s": seconds,
        "refit_s": statistics.median(run.refit_s for run in runs),
        "plain_folds": [
            {"seconds": fold.seconds, "rounds": fold.rounds, "auc": auc(fold.fold, fold.scores)}
            for fold in plain
        ],
        "plain_in_full_s": in_full,
        "times_faster_than_in_full": in_full / seconds,
        "plain_as_it_is_s": as_it_is,
        "times_faster_than_as_it_is": as_it_is / seconds,
        "auc_out_of_fold": measure(data.task, data.target, scores, 0.5)["auc"],
        "auc_full_folds": float(
            np.mean([auc(one.fold, scores[numbers == one.fold]) for one in full])
        ),
        "plain_auc_full_folds": float(np.mean([auc(one.fold, one.scores) for one in full])),
    }


def show(results: dict[str, Any]) -> None:
    """Print the comparison as a table."""
    train = results["train"]
    folds = train["plain_folds"]
    early = sum(fold["rounds"] < FEWEST_ROUNDS for fold in folds)
    table = Table("", title=f"binning and ten folds, {train['rows']:,} rows")
    for name in ("seconds", "times faster", "AUC"):
        table.add_column(name, justify="right")
    table.add_row(
        "plain recipe, a fold that ran in full, times ten",
        f"{train['plain_in_full_s']:.0f}",
        f"{train['times_faster_than_in_full']:.1f}",
        f"{train['plain_auc_full_folds']:.4f}",
    )
    table.add_row(
        f"plain recipe as it is: {early} of {len(folds)} folds gave up early",
        f"{train['plain_as_it_is_s']:.0f}",
        f"{train['times_faster_than_as_it_is']:.1f}",
        f"{np.mean([fold['auc'] for fold in folds]):.4f}",
    )
    table.add_row(
        f"light-model (of it {train['prepare_s']:.1f} s binning and sizing the trees)",
        f"{train['prepare_and_folds_s']:.1f}",
        "1",
        f"{train['auc_full_folds']:.4f} (all {train['auc_out_of_fold']:.4f})",
    )
    table.add_row("light-model's refit, apart", f"{train['refit_s']:.1f}", "", "")
    Console(width=110).print(table)


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plain-folds", type=int, default=10)
    options = parser.parse_args()
    path = sample_file(options.rows)
    results = {
        "machine": {
            "cores": threads_of(load(environ={}).config),
            "python": platform.python_version(),
        },
        "train": bench_training(path, options.repeats, options.plain_folds),
    }
    show(results)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
