"""`make bench-scale`: tables that grow, against the fastest readers and against themselves.

Preparing: `run.py preprocess` prepares a CSV of 200,000 rows and 200 columns of numbers (types, checks,
profile, split); pyarrow, Polars (streaming) and DuckDB read and write it, and do no more; all processes in
turns. Growing: the stages of the chain on ever more rows, with what a row takes and how much memory. The
medians are printed, and written to benchmarks/results/scale.json.
"""

import argparse
import json
import platform
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.peers.environment import ROOT, peers_python
from benchmarks.timing import Cost, cost_of
from lightmodel.config import load
from lightmodel.config.threads import cores
from lightmodel.progress import SilentProgress
from lightmodel.sources.factory import fetch_table

FOLDER = Path("var/bench/scale").absolute()
RESULTS = Path("benchmarks/results/scale.json")
PEERS = {
    "pyarrow, read and write": (
        "import sys, pyarrow.csv as csv; csv.write_csv(csv.read_csv(sys.argv[1]), sys.argv[2])"
    ),
    "Polars, streaming": ("import sys, polars; polars.scan_csv(sys.argv[1]).sink_csv(sys.argv[2])"),
    "DuckDB": (
        "import sys, duckdb\n"
        "duckdb.sql(f\"copy (from read_csv('{sys.argv[1]}')) to '{sys.argv[2]}' (header)\")"
    ),
}
STAGES = ("preprocess", "train", "testing")
SETTINGS = """
[data]
target = "target"
[tracking]
uri = "none"
[log]
sink = "none"
"""


def sample_file(rows: int) -> Path:
    """Write the sample as one CSV, once."""
    path = FOLDER / f"santander-{rows}.csv"
    if not path.exists():
        uri = f"sample://santander?rows={rows}"
        sets = [f"data.source={uri}", f"store.work={FOLDER / 'work'}"]
        fetched = fetch_table(load(sets=sets, environ={}).config, SilentProgress())
        path.parent.mkdir(parents=True, exist_ok=True)
        fetched.paths[0].rename(path)
    return path


def stage(name: str, path: Path) -> list[str]:
    """Return the command of a stage on a file."""
    return [sys.executable, str(ROOT / "run.py"), name, "--force", "--set", f"data.source={path}"]


def bench_preparing(path: Path, turns: int) -> dict[str, Any]:
    """Prepare a file in turns with the peers, and return the medians."""
    python = str(peers_python())
    out = str(FOLDER / "copy.csv")
    ways = {name: [python, "-c", code, str(path), out] for name, code in PEERS.items()}
    ways["light-model preprocess"] = stage("preprocess", path)
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, command in ways.items():
            costs[name].append(cost_of(command, FOLDER))
            print(name, costs[name][-1], flush=True)
    return {name: _median(taken) for name, taken in costs.items()}


def bench_growing(sizes: list[int]) -> dict[int, dict[str, Any]]:
    """Run the chain on ever more rows, and return what each stage took."""
    results: dict[int, dict[str, Any]] = {}
    for rows in sizes:
        path = sample_file(rows)
        costs = {}
        for name in STAGES:
            costs[name] = asdict(cost_of(stage(name, path), FOLDER))
            print(f"{rows:,} rows, {name}: {costs[name]}", flush=True)
        results[rows] = {"megabytes": path.stat().st_size / 1e6, **costs}
        path.unlink()
    return results


def _median(costs: list[Cost]) -> dict[str, float]:
    rows = [asdict(cost) for cost in costs]
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def show(results: dict[str, Any]) -> None:
    """Print both tables."""
    preparing = results["preparing"]
    peer = preparing["pyarrow, read and write"]
    table = _table(
        "preparing, whole processes", "seconds", "times", "CPU s", "times", "MB", "own MB"
    )
    for name, cost in preparing.items():
        times = cost["seconds"] / peer["seconds"], cost["cpu_s"] / peer["cpu_s"]
        figures = f"{cost['seconds']:.1f}", f"{times[0]:.2f}", f"{cost['cpu_s']:.1f}"
        table.add_row(
            name, *figures, f"{times[1]:.2f}", f"{cost['peak_mb']:.0f}", f"{cost['own_mb']:.0f}"
        )
    Console(width=110).print(table)
    table = _table("growing", "rows", "seconds", "s a million", "CPU s a million", "MB", "own MB")
    for rows, stages in results["growing"].items():
        for name in STAGES:
            cost, millions = stages[name], int(rows) / 1e6
            seconds = f"{cost['seconds']:.1f}", f"{cost['seconds'] / millions:.1f}"
            memory = f"{cost['peak_mb']:.0f}", f"{cost['own_mb']:.0f}"
            cpu = f"{cost['cpu_s'] / millions:.1f}"
            table.add_row(name, f"{int(rows):,}", *seconds, cpu, *memory)
    Console(width=110).print(table)


def _table(title: str, *columns: str) -> Table:
    table = Table("", title=title)
    for name in columns:
        table.add_column(name, justify="right")
    return table


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="of the file to prepare")
    parser.add_argument("--sizes", type=int, nargs="*", default=[200_000, 1_000_000, 2_000_000])
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "config.toml").write_text(SETTINGS, encoding="utf-8")
    results = {
        "machine": {"cores": cores(), "python": platform.python_version()},
        "rows": options.rows,
        "preparing": bench_preparing(sample_file(options.rows), options.turns),
        "growing": bench_growing(options.sizes),
    }
    show(results)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
