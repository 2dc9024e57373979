"""`make bench-compiled`: the compiled form of a model against LightGBM, and lleaves where it is installed.

All score the same rows on one thread in turns; then LightGBM and ours explain them. Medians of CPU time are
printed and written to benchmarks/results/compiled.json and contributions.json. One-row calls go through
rows that differ: on one and the same row a processor learns the branches by heart, which flatters whoever
has many.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from lightmodel.contract.cells import Matrix, Scores
from lightmodel.learners.compiled import compile_library, load_library, pack_tables, unpack_tables
from lightmodel.learners.compiled.trees import CompiledTrees

RESULTS = Path("benchmarks/results")
COLUMNS, ROWS, ONES, TURNS = 200, 10_000, 1_000, 7
EXPLAINED = {"lightgbm": (100, 50), "ours": (5_000, 500)}  # rows, and calls with one row

Predict = Callable[[Matrix], Scores]


def model_text(trees: int, leaves: int) -> str:
    """Return a booster with that many trees on 200 columns, as text."""
    random = np.random.default_rng(0)
    features = random.normal(10, 5, (20_000, COLUMNS)).round(4)
    pull = (features - 10) / 5 @ random.normal(0, 0.3, COLUMNS)
    target = (random.random(20_000) < 1 / (1 + np.exp(2 - pull))).astype(float)
    parameters = {"objective": "binary", "num_leaves": leaves, "learning_rate": 0.02}
    fixed = {"feature_fraction": 0.3, "num_threads": 1, "verbosity": -1, "seed": 0}
    booster = lgb.train({**parameters, **fixed}, lgb.Dataset(features, target), trees)
    return str(booster.model_to_string())


def contestants(text: str, folder: Path) -> tuple[dict[str, Predict], dict[str, float]]:
    """Return the predict functions by name, and the seconds that preparing each took."""
    booster = lgb.Booster(model_str=text)
    start = time.perf_counter()
    ours = compiled(text)
    seconds = {"ours": time.perf_counter() - start}
    every: dict[str, Predict] = {
        "lightgbm": lambda rows: np.asarray(booster.predict(rows, num_threads=1)),
        "ours": ours.predict,
    }
    if importlib.util.find_spec("lleaves"):
        (folder / "model.txt").write_text(text, encoding="utf-8")
        start = time.perf_counter()
        every["lleaves"] = _lleaves(folder / "model.txt")
        seconds["lleaves"] = time.perf_counter() - start
    return every, seconds


def explainers(text: str) -> dict[str, Predict]:
    """Return the functions for contributions by name."""
    booster = lgb.Booster(model_str=text)
    return {
        "lightgbm": lambda rows: np.asarray(
            booster.predict(rows, num_threads=1, pred_contrib=True)
        ),
        "ours": compiled(text).contributions,
    }


def compiled(text: str) -> CompiledTrees:
    """Return the model, compiled."""
    return CompiledTrees(load_library(*compile_library()), unpack_tables(pack_tables([text])))


def _lleaves(path: Path) -> Predict:
    import lleaves  # type: ignore[import-not-found]  # in a separate environment

    model = lleaves.Model(model_file=str(path))
    model.compile()
    return lambda rows: np.asarray(model.predict(rows, n_jobs=1))


def measured(
    every: Mapping[str, Predict], rows: Matrix, sizes: Mapping[str, tuple[int, int]]
) -> dict[str, dict[str, float]]:
    """Return rows per CPU second, and CPU microseconds for a single row.

    Args:
        every: functions by name, which take turns.
        rows: to be scored or explained.
        sizes: for each name the number of rows at once, and of calls with one row.
    """
    ones = [rows[at : at + 1].copy() for at in range(ONES)]
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in every}
    for _ in range(TURNS):
        for name, function in every.items():
            many, calls = sizes[name]
            times = (cpu_seconds(function, [rows[:many]]), cpu_seconds(function, ones[:calls]))
            spent[name].append((times[0] / many, times[1] / calls))
    return {
        name: {
            "rows_a_cpu_second": 1 / statistics.median(at_once for at_once, _ in turns),
            "one_row_us": statistics.median(single for _, single in turns) * 1e6,
        }
        for name, turns in spent.items()
    }


def cpu_seconds(predict: Predict, tables: Sequence[Matrix]) -> float:
    """Return the CPU seconds of scoring the tables one after the other."""
    start = time.process_time()
    for table in tables:
        predict(table)
    return time.process_time() - start


def compare_scores(text: str, rows: Matrix) -> dict[str, Any]:
    """Measure, print and return how fast each scores the rows."""
    with tempfile.TemporaryDirectory() as folder:
        every, ready = contestants(text, Path(folder))
        wanted = every["lightgbm"](rows)
        differ = {name: float(np.abs(one(rows) / wanted - 1).max()) for name, one in every.items()}
        speeds = measured(every, rows, dict.fromkeys(every, (ROWS, ONES)))
    for name, speed in speeds.items():
        print(
            f"{name:9} {speed['rows_a_cpu_second']:9,.0f} rows a CPU second, "
            f"one row {speed['one_row_us']:6.1f} us, made ready in {ready.get(name, 0):.1f} s, "
            f"differs by {differ[name]:.1g}"
        )
    return {"compile_s": ready, "greatest_relative_difference": differ, **speeds}


def compare_contributions(text: str, rows: Matrix) -> dict[str, Any]:
    """Measure, print and return how fast each explains the rows."""
    every = explainers(text)
    some = rows[: EXPLAINED["lightgbm"][0]]
    differ = float(np.abs(every["ours"](some) - every["lightgbm"](some)).max())
    speeds = measured(every, rows, EXPLAINED)
    for name, speed in speeds.items():
        print(
            f"{name:9} {speed['rows_a_cpu_second']:9,.0f} rows explained a CPU second, "
            f"one row {speed['one_row_us']:6.0f} us"
        )
    print(f"contributions differ by {differ:.1g}")
    return {"tables_bytes": len(pack_tables([text])), "greatest_difference": differ, **speeds}


def main() -> None:
    """Measure, print and write the results."""
    parts = {"compiled": compare_scores, "contributions": compare_contributions}
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--trees", type=int, default=1_500)
    arguments.add_argument("--leaves", type=int, default=13)
    arguments.add_argument("--part", choices=parts, action="append", help="default: both")
    given = arguments.parse_args()
    text = model_text(given.trees, given.leaves)
    rows = np.asfortranarray(np.random.default_rng(1).normal(10, 5, (ROWS, COLUMNS)).round(4))
    about = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "model": {"trees": given.trees, "leaves": given.leaves, "columns": COLUMNS},
    }
    for part in given.part or parts:
        results = json.dumps({**about, **parts[part](text, rows)}, indent=1)
        (RESULTS / f"{part}.json").write_text(results + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
