"""`make bench-drift`: measuring the drift of 200,000 rows of 200 columns, against scipy's ks_2samp.

Both compare the same columns in turns, on one thread. scipy compares each with the 200,000 training rows,
and with 20,000 of them, as many take. Ours reads the training reference from its file, counts missing
values, sorts, runs all tests and adjusts their p-values. Medians of CPU seconds are printed, and written
to benchmarks/results/drift.json.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import ks_2samp

from lightmodel.config import WatchSection
from lightmodel.config.threads import cores
from lightmodel.contract.cells import Matrix
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.training.reference import Reference, make_reference
from lightmodel.watch.drift import compare
from lightmodel.watch.window import Window, WindowColumn

RESULTS = Path("benchmarks/results/drift.json")
COLUMNS, SAMPLE, SHIFTED = 200, 20_000, 17


def rows_of(rows: int, seed: int) -> Matrix:
    """Return numbers as in the Santander competition: four decimals, no value missing."""
    random = np.random.default_rng(seed)
    return np.asfortranarray(random.normal(10, 5, (rows, COLUMNS)).round(4))


def contract() -> Contract:
    """Return the contract of such rows."""
    features = (
        Column(f"var_{at}", Role.FEATURE, ColumnType.NUMBER, missing=False) for at in range(COLUMNS)
    )
    target = Column("target", Role.TARGET, ColumnType.INTEGER, missing=False)
    return Contract((*features, target), Task(TaskKind.BINARY, (0, 1)))


def ours(reference: bytes, now: Matrix) -> int:
    """Return the number of columns that drifted."""
    columns = {f"var_{at}": WindowColumn.of_numbers(now[:, at]) for at in range(COLUMNS)}
    window = Window(len(now), "", "", len(now), columns)
    return len(compare(Reference.from_bytes(reference), window, WatchSection()).drifted)


def scipys(before: Matrix, now: Matrix) -> int:
    """Return the number of columns that drifted, by the same limits and Bonferroni's correction."""
    found = 0
    for at in range(COLUMNS):
        result = ks_2samp(before[:, at], now[:, at], method="asymp")
        found += bool(result.pvalue * COLUMNS < 0.01 and result.statistic > 0.1)
    return found


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that some work takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    before, now = rows_of(options.rows, 0), rows_of(options.rows, 1)
    now[:, SHIFTED] += 2
    scores = np.random.default_rng(2).random(options.rows)
    reference = make_reference(before, contract(), scores).to_bytes()
    sample = np.asfortranarray(before[:SAMPLE])
    works: dict[str, Callable[[], object]] = {
        "scipy": lambda: scipys(before, now),
        "scipy_on_a_sample": lambda: scipys(sample, now),
        "ours": lambda: ours(reference, now),
        "ours_in_training": lambda: make_reference(before, contract(), scores).to_bytes(),
    }
    if {scipys(before, now), scipys(sample, now), ours(reference, now)} != {1}:
        raise SystemExit("they do not agree on the one column that has drifted")
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(options.repeats):
        for name, work in works.items():
            taken[name].append(cpu_seconds(work))
            print(name, f"{taken[name][-1]:.2f} s", flush=True)
    seconds = {name: round(statistics.median(each), 2) for name, each in taken.items()}
    ratios = {
        f"{name}_ratio": round(seconds["ours"] / seconds[name], 2)
        for name in ("scipy", "scipy_on_a_sample")
    }
    results = {"rows": options.rows, "reference_bytes": len(reference), **seconds, **ratios}
    print(json.dumps(results, indent=1))
    if options.rows == parser.get_default("rows"):
        machine = {"cores": cores(), "python": platform.python_version()}
        RESULTS.write_text(json.dumps({"machine": machine, **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
