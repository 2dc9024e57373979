"""`make bench-requests`: one JSON row a request, against the shortest FastAPI service.

The same model (1,500 trees of 13 leaves, 200 columns), two workers each, connections that are kept alive.
They take turns; CPU time is that of all processes of a server. The medians are printed and written to
benchmarks/results/requests.json.
"""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.serve import FOLDER, model, peers
from benchmarks.serving import ROOT, Running, Server, running
from lightmodel.config.threads import cores
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.service.describe.schema import sample_records

RESULTS = Path("benchmarks/results/requests.json")
CONNECTIONS = (1, 8, 64)
TURNS, SECONDS = 5, 4
_WORKERS = 2
_SETTLE_S = 1.0  # in which the rows of a turn are logged
_KEY = "bench"
_SCRIPT = """
wrk.method = "POST"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-API-Key"] = "{key}"
"""


@dataclass
class Turn:
    """What a server did in one turn.

    Attributes:
        requests_s: answers per second.
        cpu_s: CPU seconds for 1,000 answers, of all its processes.
        p99_ms: milliseconds within which 99 of 100 answers came.
        balance: CPU time of the busiest worker over that of the idlest.
    """

    requests_s: float
    cpu_s: float
    p99_ms: float
    balance: float


def contestants(served: LoadedModel) -> list[Server]:
    """Return our service, with contract, ids, log, metrics, key and rate limit, and the peer."""
    peers(served)
    os.environ |= {
        "RECIPE": str(FOLDER / "recipe.joblib"),
        "LIGHTMODEL__SERVE__WORKERS": str(_WORKERS),
        "LIGHTMODEL__SERVE__API_KEYS": _KEY,
        "LIGHTMODEL__SERVE__RATE_LIMIT": "1000000",
    }
    python = FOLDER / "peers" / "bin" / "python"
    options = ("--port", "{port}", "--workers", str(_WORKERS), "--no-access-log")
    app = ("--app-dir", str(ROOT / "benchmarks" / "peers"), "minimal_fastapi:app")
    json_rows = ("/predict", False, FOLDER, "application/json", _KEY)
    return [
        Server("light-model", (sys.executable, str(ROOT / "app.py")), *json_rows),
        Server("minimal FastAPI", (str(python), "-m", "uvicorn", *options, *app), *json_rows),
    ]


def turn(server: Running, connections: int) -> Turn:
    """Send requests for some seconds, with wrk."""
    before = cpu_times(server)
    url = f"http://127.0.0.1:{server.port}{server.server.path}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
    command += ["-s", str(FOLDER / "record.lua"), url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output:
        raise RuntimeError(output)
    time.sleep(_SETTLE_S)
    used = {pid: cpu - before.get(pid, 0.0) for pid, cpu in cpu_times(server).items()}
    answered = int(found(r"(\d+) requests in", output))
    workers = sorted(used.values())[-_WORKERS:]
    return Turn(
        float(found(r"Requests/sec:\s+(\S+)", output)),
        sum(used.values()) / answered * 1000,
        milliseconds(found(r"99%\s+(\S+)", output)),
        max(workers) / max(min(workers), 0.01),
    )


def cpu_times(server: Running) -> dict[int, float]:
    """Return the CPU seconds of each process, user and system."""
    return {one.pid: sum(one.cpu_times()[:2]) for one in server.processes()}


def found(pattern: str, output: str) -> str:
    """Return what a pattern captures in the output of wrk."""
    match = re.search(pattern, output)
    if match is None:
        raise RuntimeError(output)
    return match[1]


def milliseconds(text: str) -> float:
    """Return a duration as wrk writes it in milliseconds."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]  # wrk's form
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def main() -> None:
    """Measure, print and write the results."""
    served = model()
    servers = contestants(served)
    record = json.dumps(sample_records(served)[0]).encode()
    (FOLDER / "record.json").write_bytes(record)
    script = _SCRIPT.format(body=FOLDER / "record.json", key=_KEY)
    (FOLDER / "record.lua").write_text(script)
    turns: dict[str, dict[int, list[Turn]]] = {
        server.name: {count: [] for count in CONNECTIONS} for server in servers
    }
    with ExitStack() as stack:
        up = [stack.enter_context(running(server, record)) for server in servers]
        for _ in range(TURNS):
            for count in CONNECTIONS:
                for server in up:
                    turns[server.server.name][count].append(turn(server, count))
    report = {
        name: {str(count): medians(several) for count, several in by_count.items()}
        for name, by_count in turns.items()
    }
    machine = {"cores": cores(), "python": platform.python_version()}
    RESULTS.write_text(json.dumps({"machine": machine, "contestants": report}, indent=1) + "\n")
    show(report)


def medians(turns: Sequence[Turn]) -> dict[str, float]:
    """Return the median of each figure."""
    names = ("requests_s", "cpu_s", "p99_ms", "balance")
    return {name: round(statistics.median(getattr(t, name) for t in turns), 3) for name in names}


def show(report: dict[str, Any]) -> None:
    """Print a table; ratios are those of our service to the peer."""
    table = Table(title="One JSON row a request, medians", title_justify="left")
    for heading in ("connections", *report, "ratio"):
        table.add_column(heading, justify="right")
    for count in map(str, CONNECTIONS):
        for name, unit in (("cpu_s", "CPU s / 1,000"), ("p99_ms", "ms p99"), ("requests_s", "/ s")):
            values = [one[count][name] for one in report.values()]
            cells = [f"{value:,.3f} {unit}" for value in values]
            table.add_row(count, *cells, f"{values[0] / values[1]:.2f}")
        if count == "1":
            continue  # one connection has one worker
        balances = [f"{one[count]['balance']:.2f} busiest / idlest" for one in report.values()]
        table.add_row(count, *balances, "")
    Console().print(table)


if __name__ == "__main__":
    main()
