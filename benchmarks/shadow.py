"""`make bench-shadow`: what a challenger that scores the same traffic costs the answers.

Two services of one model (1,500 trees of 13 leaves, 200 columns), one of them with a challenger, get
one JSON row a request on eight connections, at fixed rates and as fast as they answer. They take turns, and
change their order. The ratio of the 99th percentiles of all answers is printed with its 95 % interval, by
resampling the pairs of turns, and written to benchmarks/results/shadow.json.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import requests
import uvloop
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from benchmarks.requests import cpu_times
from benchmarks.serve import FOLDER, config, model
from benchmarks.serving import ROOT, Running, Server, running
from lightmodel.config.threads import cores
from lightmodel.service.describe.schema import sample_records
from lightmodel.store.versions import models_of

RESULTS = Path("benchmarks/results/shadow.json")
CONNECTIONS = 8
RATES = (100, 400, 0)  # requests a second; 0: as many as are answered
TURNS, SECONDS = 50, 1.0
_RESAMPLES = 500
_WORKERS = 2
_SETTLE_S = 0.6  # in which rows are logged, and scored by the challenger


@dataclass(frozen=True)
class Turn:
    """One turn of a service: the milliseconds of its answers, and the CPU seconds that it used."""

    taken_ms: list[float]
    cpu_s: float


def challenger(served: str) -> str:
    """Return the name of the newest other version; one that the gate has rejected is trained once."""
    store = models_of(config())
    if store.newest().name == served:
        worse = ("--set", "gate.minimum=0.9999", "--set", "train.seed=1")
        run = [sys.executable, str(ROOT / "run.py"), *worse]
        subprocess.run(run, cwd=FOLDER, check=False, capture_output=True)
    return store.newest().name


async def load(port: int, body: bytes, rate: float, seconds: float) -> list[float]:
    """Send requests at a rate, and return the seconds until each was answered."""
    head = (
        f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    sent, taken, begins = head.encode() + body, list[float](), time.perf_counter()

    async def connection(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = begins + (number / rate if rate else 0.0)
        while (now := time.perf_counter()) < begins + seconds:
            if rate and due > now:
                await asyncio.sleep(due - now)
            started = time.perf_counter()
            writer.write(sent)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(answer.partition(b"content-length: ")[2].split(b"\r")[0]))
            taken.append(time.perf_counter() - started)
            if b" 200 " not in answer[:20]:
                raise RuntimeError(answer.decode())
            due += CONNECTIONS / rate if rate else 0.0
        writer.close()

    await asyncio.gather(*map(connection, range(CONNECTIONS)))
    return taken


def turn(server: Running, body: bytes, rate: float, seconds: float) -> Turn:
    """Let one service answer for some seconds."""
    before = cpu_times(server)
    taken = uvloop.run(load(server.port, body, rate, seconds))
    time.sleep(_SETTLE_S)
    used = sum(cpu - before.get(pid, 0.0) for pid, cpu in cpu_times(server).items())
    return Turn([one * 1e3 for one in taken], used)


def shadow_rows(server: Running) -> dict[str, float]:
    """Return how many rows the challenger has scored, and how many were shed."""
    page = requests.get(f"http://127.0.0.1:{server.port}/metrics", timeout=30).text
    return {
        sample.labels["result"]: sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "lightmodel_shadow_rows_total"
    }


def measure(servers: Sequence[Running], body: bytes, turns: int, seconds: float) -> dict[str, Any]:
    """Return the figures at each rate; the order of the services alternates."""
    report = {}
    for rate in RATES:
        found: dict[str, list[Turn]] = {server.server.name: [] for server in servers}
        before = shadow_rows(servers[1])
        for number in range(turns):
            for server in servers if number % 2 else servers[::-1]:
                found[server.server.name].append(turn(server, body, rate, seconds))
        after = shadow_rows(servers[1])
        report[str(rate)] = {
            **{name: _figures(several, seconds) for name, several in found.items()},
            "p99_ratio": _ratio(*found.values()),
            "rows": {name: int(after[name] - before.get(name, 0)) for name in after},
        }
    return report


def _figures(turns: Sequence[Turn], seconds: float) -> dict[str, float]:
    taken = np.concatenate([one.taken_ms for one in turns])
    figures = {
        "p50_ms": np.quantile(taken, 0.5),
        "p99_ms": np.quantile(taken, 0.99),
        "requests_s": len(taken) / len(turns) / seconds,
        "cpu_s": sum(one.cpu_s for one in turns) / len(taken) * 1000,  # for 1,000 answers
    }
    return {name: round(float(one), 3) for name, one in figures.items()}


def _ratio(off: Sequence[Turn], on: Sequence[Turn]) -> list[float]:
    """Return the ratio of the 99th percentiles, and the ends of its 95 % interval."""
    random = np.random.default_rng(0)

    def ratio(places: Sequence[int]) -> float:
        both = ([turns[at].taken_ms for at in places] for turns in (off, on))
        without, with_one = (np.quantile(np.concatenate(taken), 0.99) for taken in both)
        return float(with_one / without)

    drawn = [ratio(random.integers(0, len(off), len(off)).tolist()) for _ in range(_RESAMPLES)]
    ends = np.quantile(drawn, [0.025, 0.975]).tolist()
    return [round(one, 3) for one in (ratio(range(len(off))), *ends)]


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short turns")
    turns, seconds = (4, 1.0) if parser.parse_args().quick else (TURNS, SECONDS)
    served = model()
    name = challenger(served.version)
    record = json.dumps(sample_records(served)[0]).encode()
    os.environ["LIGHTMODEL__SERVE__WORKERS"] = str(_WORKERS)
    command = (sys.executable, str(ROOT / "app.py"), "--set", "log.folder=log-{port}")
    place = ("/predict", False, FOLDER, "application/json")
    contestants = [
        Server("without", command, *place),
        Server("with challenger", (*command, "--set", f"serve.shadow={name}"), *place),
    ]
    with ExitStack() as stack:
        up = [stack.enter_context(running(server, record)) for server in contestants]
        time.sleep(2 * _SETTLE_S)  # in which the challenger is loaded
        for server in up:
            turn(server, record, 0, 1.0)
        report = measure(up, record, turns, seconds)
    machine = {"cores": cores(), "python": platform.python_version()}
    RESULTS.write_text(json.dumps({"machine": machine, "rates": report}, indent=1) + "\n")
    show(report)


def show(report: dict[str, Any]) -> None:
    """Print a table."""
    table = Table(title="One JSON row a request", title_justify="left")
    for heading in ("a second", "", "without", "with challenger", "ratio"):
        table.add_column(heading, justify="right")
    for rate, one in report.items():
        off, on = one["without"], one["with challenger"]
        for name in off:
            ratio = f"{on[name] / max(off[name], 1e-9):.3f}"
            if name == "p99_ms":
                ratio += " ({1:.3f} to {2:.3f})".format(*one["p99_ratio"])
            shown = rate if rate != "0" else "all"
            table.add_row(shown, name, f"{off[name]:,.2f}", f"{on[name]:,.2f}", ratio)
        table.add_row("", "rows", "", ", ".join(f"{k} {v:,}" for k, v in one["rows"].items()), "")
    Console().print(table)


if __name__ == "__main__":
    main()
