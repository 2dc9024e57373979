"""`make bench-memory`: the memory of the service's processes after 1, 10, 25 and 50 big uploads.

Each upload has 500,000 rows of ten numbers, and goes to a service with one worker. Memory is measured once
the service is idle: the resident bytes of all processes, where shared pages count for each. The curve is
printed and written to benchmarks/results/memory.json.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.serving import ROOT, Running, Server, running
from lightmodel.config.threads import cores

FOLDER = Path("var/bench/memory").absolute()
RESULTS = Path("benchmarks/results/memory.json")
SETTINGS = """
[data]
source = "rows.csv"
target = "target"
id = "id"
[train]
folds = 2
[gate]
bootstrap = 0
[serve]
workers = 1
"""
_COLUMNS = 10
_IDLE_S = 15  # by then the rows are logged, and freed memory is returned


def main() -> None:
    """Send the uploads, watch the memory, print and write the curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--after", type=int, nargs="+", default=[1, 10, 25, 50])
    options = parser.parse_args()
    _train()
    server = Server(
        "light-model", (sys.executable, str(ROOT / "app.py")), "/predict", False, FOLDER
    )
    upload = table(options.rows)
    with running(server, table(1)) as up:
        report = curve(up, upload, options.after)
    print(json.dumps(report, indent=1))
    if options.rows == parser.get_default("rows"):
        machine = {"cores": cores(), "python": platform.python_version()}
        RESULTS.write_text(json.dumps({"machine": machine, **report}, indent=1) + "\n")


def curve(server: Running, upload: bytes, after: list[int]) -> dict[str, object]:
    """Return the megabytes when idle and after so many uploads, and the CPU seconds of an upload."""
    idle, memory = server.memory() / 1e6, {}
    before = _cpu_s(server)
    for number in range(1, max(after) + 1):
        server.post(upload)
        if number in after:
            time.sleep(_IDLE_S)
            memory[number] = round(server.memory() / 1e6)
            print(f"{number:4} uploads  {memory[number]:5} MB", flush=True)
    return {
        "idle_mb": round(idle),
        "mb_after_uploads": memory,
        "times": round(memory[max(after)] / memory[min(after)], 2),
        "cpu_s_per_upload": round((_cpu_s(server) - before) / max(after), 2),
    }


def table(rows: int, *, target: bool = False) -> bytes:
    """Return a CSV file of random numbers, with a target for training."""
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(rows, _COLUMNS)).round(4)
    names = ["id", *(f"x{at}" for at in range(_COLUMNS))]
    lines = [f"row_{at}," + ",".join(map(str, row)) for at, row in enumerate(cells.tolist())]
    if target:
        names.append("target")
        labels = cells[:, 0] + rng.normal(size=rows) > 0
        lines = [f"{line},{label:d}" for line, label in zip(lines, labels.tolist(), strict=True)]
    return "\n".join([",".join(names), *lines, ""]).encode()


def _train() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "config.toml").write_text(SETTINGS)
    (FOLDER / "rows.csv").write_bytes(table(5_000, target=True))
    run = [sys.executable, str(ROOT / "run.py")]
    subprocess.run(run, cwd=FOLDER, check=True, stdout=subprocess.DEVNULL)


def _cpu_s(server: Running) -> float:
    processes = (server.process, *server.process.children(recursive=True))
    return float(sum(sum(process.cpu_times()[:2]) for process in processes))


if __name__ == "__main__":
    main()
