"""`make bench-preprocess`: a table as people have them, against pandas doing the same.

A CSV of 1,000,000 rows with two columns of dates, amounts, texts and five categories is prepared by two
whole processes, in turns: ours (`run.py preprocess`, which also checks, profiles and splits it), and
pandas' read_csv with dates, string clean-up and to_parquet. Medians and their ratio are printed, and
written to benchmarks/results/preprocess.json.
"""

import argparse
import json
import platform
import statistics
import sys
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from benchmarks.timing import timed
from lightmodel.config.threads import cores

FOLDER = Path("var/bench/preprocess")
RESULTS = Path("benchmarks/results/preprocess.json")
PANDAS = """
import sys
import pandas as pd
frame = pd.read_csv(
    sys.argv[1], parse_dates=["ordered", "due"], date_format={"ordered": "ISO8601", "due": "%d.%m.%Y"}
)
frame["amount"] = frame["amount"].str.replace(r"[$,]", "", regex=True).astype("float64")
for name in ("note", "region", "product", "channel", "plan", "colour"):
    frame[name] = frame[name].str.strip()
    if name != "note":
        frame[name] = frame[name].astype("category")
frame.to_parquet(sys.argv[2])
"""
_WORDS = "late early broken return gift urgent fragile call again thanks please box door"


def table(rows: int) -> pa.Table:
    """Return such a table of random values, with an id and a target."""
    rng = np.random.default_rng(0)
    seconds = 1_577_836_800 + rng.integers(0, 4 * 365 * 86_400, rows)
    ordered = pa.array(seconds, pa.timestamp("s"))
    due = pc.add(ordered, pa.array(rng.integers(1, 60, rows) * 86_400, pa.duration("s")))
    levels = {"region": 8, "product": 200, "channel": 4, "plan": 3, "colour": 12}
    codes = {name: rng.integers(0, count, rows) for name, count in levels.items()}
    amounts = rng.lognormal(6, 1.5, rows)
    words = pa.array(_WORDS.split())
    chosen = rng.integers(0, len(words), (rows, 6))
    notes = pc.binary_join_element_wise(*(words.take(one) for one in chosen.T), " ")
    target = (amounts > 400) ^ (rng.random(rows) < 0.2)
    return pa.table(
        {
            "id": np.arange(rows),
            "ordered": pc.strftime(ordered, "%Y-%m-%d %H:%M:%S"),
            "due": pc.strftime(due, "%d.%m.%Y"),
            "amount": [f"${amount:,.2f}" for amount in amounts],
            "note": notes,
            **{name: [f"{name} {code}" for code in values] for name, values in codes.items()},
            "target": target.astype(int),
        }
    )


def write_sample(path: Path, rows: int) -> None:
    """Write the table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrow_csv.write_csv(table(rows), path)


def sample_file(rows: int) -> Path:
    """Write the table, once, in another process: the peak memory of a child includes its parent's."""
    path = FOLDER / f"orders-{rows}.csv"
    if not path.exists():
        writer = get_context("spawn").Process(target=write_sample, args=(path, rows))
        writer.start()
        writer.join()
    return path


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    path = sample_file(options.rows)
    settings = [f"data.source={path}", "data.target=target", f"store.root={FOLDER / 'store'}"]
    commands = {
        "pandas": [sys.executable, "-c", PANDAS, str(path), str(FOLDER / "copy.parquet")],
        "light-model": [
            *(sys.executable, "run.py", "preprocess", "--force"),
            *(word for setting in settings for word in ("--set", setting)),
        ],
    }
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(options.repeats):
        for name, command in commands.items():
            runs[name].append(timed(command))
            print(name, f"{runs[name][-1][0]:.1f} s, {runs[name][-1][1]:.0f} MB", flush=True)
    report = {
        name: {
            "seconds": round(statistics.median(seconds for seconds, _ in taken), 2),
            "peak_mb": round(statistics.median(peak for _, peak in taken)),
        }
        for name, taken in runs.items()
    }
    ours, peer = report["light-model"], report["pandas"]
    ratios = {f"{key}_ratio": round(ours[key] / peer[key], 2) for key in ours}
    results = {"rows": options.rows, **report, **ratios}
    print(json.dumps(results, indent=1))
    if options.rows == parser.get_default("rows"):
        machine = {"cores": cores(), "python": platform.python_version()}
        RESULTS.write_text(json.dumps({"machine": machine, **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
