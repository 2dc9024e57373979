"""`make bench-score`: scoring a CSV of 2,000,000 rows of 200 columns, against pandas and LightGBM.

The other way is a loop that many write: chunks of pandas, `Booster.predict` on all cores, and `to_csv`.
Both score the same file by the same trees, in processes of their own and in turns; the answers are
compared. Medians of wall seconds and the largest peak of memory are printed, and written to
benchmarks/results/score.json. Memory is that of the largest process, and of ours also of all together.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

from lightmodel.config.threads import cores
from lightmodel.progress import SilentProgress
from lightmodel.sources.base import FetchOptions
from lightmodel.sources.factory import source_for

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/score.json"
CHUNK_ROWS = 20_000
TRAINING = """
[data]
source = "sample://santander?rows=20000&seed=0"
target = "target"
[train]
folds = 3
parameters = {num_leaves = 13, max_rounds = 400, learning_rate = 0.1}
[gate]
bootstrap = 50
[tracking]
uri = "none"
"""
PANDAS = """
import sys
import lightgbm, pandas
model, source, out, chunk, threads = sys.argv[1:]
booster = lightgbm.Booster(model_file=model)
for at, rows in enumerate(pandas.read_csv(source, chunksize=int(chunk))):
    scores = booster.predict(rows.drop(columns=["ID_code", "target"]).to_numpy(), num_threads=int(threads))
    answers = pandas.DataFrame({"ID_code": rows["ID_code"], "probability": scores})
    answers.to_csv(out, mode="a" if at else "w", header=not at, index=False)
"""


def run(words: list[str], folder: Path) -> tuple[float, float]:
    """Run Python with these words; return wall seconds, and the peak of all its processes in MB."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    started, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(
        [sys.executable, *words], cwd=folder, env=environ, stderr=subprocess.PIPE
    )
    errors: list[bytes] = []
    stderr = process.stderr
    assert stderr is not None
    reading = threading.Thread(target=lambda: errors.append(stderr.read()))
    reading.start()
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.05)
    reading.join()
    if process.returncode:
        sys.exit(errors[0].decode())
    return time.perf_counter() - started, peak / 1e6


def _memory(pid: int) -> float:
    """Return the bytes that a process and its children have to themselves, and what they share once."""
    total = 0.0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.Error:
        pass
    return total


def write_rows(folder: Path, rows: int) -> Path:
    """Write rows of the sample that the model was not trained on, and return their file."""
    options = FetchOptions(folder / "cache", "changed", "", 30.0, 0, SilentProgress())
    uri = f"sample://santander?rows={rows}&seed=1"
    return source_for(uri)(uri, options).paths[0]


def write_booster(folder: Path) -> None:
    """Write the trees of the trained model as LightGBM's text."""
    code = (
        "from pathlib import Path\n"
        "from lightmodel.config import load\n"
        "from lightmodel.store import codec\n"
        "from lightmodel.store.verdict import newest_approved\n"
        "from lightmodel.store.versions import models_of\n"
        "config = load(Path('config.toml'), ()).config\n"
        "model = codec.load(newest_approved(models_of(config)))['model']\n"
        "(text,) = model['texts']\n"
        "Path('booster.txt').write_text(text)\n"
    )
    run(["-c", code], folder)


def main() -> None:
    """Run both ways in turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").write_text(TRAINING, encoding="utf-8")
        run([str(ROOT / "run.py")], folder)
        rows = str(write_rows(folder, options.rows))
        write_booster(folder)
        other = ["booster.txt", rows, "pandas.csv", str(CHUNK_ROWS), str(cores())]
        ways = {
            "light-model score": ["-m", "lightmodel", "score", rows, "--output", "ours.csv"],
            "pandas and Booster.predict": ["-c", PANDAS, *other],
        }
        measured: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(options.turns):
            for way, words in ways.items():
                measured[way].append(run(words, folder))
        _compare(folder)
    _report(measured, options.rows)


def _compare(folder: Path) -> None:
    """End with an error if the two ways give other scores."""
    ours, theirs = (
        np.loadtxt(folder / name, delimiter=",", skiprows=1, usecols=column)
        for name, column in (("ours.csv", 2), ("pandas.csv", 1))
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def _report(measured: dict[str, list[tuple[float, float]]], rows: int) -> None:
    results = {}
    for way, runs in measured.items():
        seconds = statistics.median(one for one, _ in runs)
        peak = max(one for _, one in runs)
        results[way] = {"seconds": seconds, "rows_per_s": rows / seconds, "peak_mb": peak}
        print(f"{way:28} {seconds:8.1f} s {rows / seconds:10,.0f} rows/s {peak:8.0f} MB")
    speeds = [one["rows_per_s"] for one in results.values()]
    print(f"ratio: {speeds[0] / speeds[1]:.1f}")
    machine = {"cores": cores(), "python": platform.python_version()}
    content = {"rows": rows, **machine, "ways": results}
    RESULTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
