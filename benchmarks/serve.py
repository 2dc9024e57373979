"""`make bench-serve`: the service against MLflow's scoring server and the plain Flask recipe.

The same model (1,500 trees of 13 leaves, 200 columns) and the same files for all. They take turns, and
the medians and their ratios are printed and written to benchmarks/results/serve.json. The in-process limit
is the fastest reading, scoring and encoding that we know, without HTTP.
"""

import argparse
import itertools
import json
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.peers.environment import peers_python
from benchmarks.serving import ROOT, Running, Server, running, watched
from lightmodel.config import Config, load
from lightmodel.config.threads import cores
from lightmodel.scoring.answer_writers import JsonWriter
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.tables.bodies import BodyReader

FOLDER = Path("var/bench/serve").absolute()
RESULTS = Path("benchmarks/results/serve.json")
SETTINGS = """
[data]
source = "sample://santander?rows=20000"
[train]
folds = 2
[train.parameters]
num_leaves = 13
learning_rate = 0.02
max_rounds = 750
patience = 10000
evaluate_every = 250
[gate]
bootstrap = 0
"""
REPEATS = {1: 300, 100: 100, 10_000: 15, 200_000: 3}
STARTS = 5
LOAD_S = 5
LOAD_TURNS = 3


@dataclass
class Measured:
    """The measurements of one server."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    first_s: list[float] = field(default_factory=list)
    requests_s: list[float] = field(default_factory=list)
    idle_mb: float = 0.0
    peak_mb: float = 0.0
    parts_ms: dict[int, dict[str, float]] = field(default_factory=dict)


def model() -> LoadedModel:
    """Return the model of the benchmark, trained once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "config.toml").write_text(SETTINGS)
    run = [sys.executable, str(ROOT / "run.py")]
    subprocess.run(run, cwd=FOLDER, check=True, stdout=subprocess.DEVNULL)
    return ModelStoreView(config()).newest(None)


def config() -> Config:
    """Return the settings of the benchmark's folder."""
    return load(FOLDER / "config.toml", [f"store.root={FOLDER}"], {}).config


def uploads(sizes: Sequence[int]) -> dict[int, bytes]:
    """Return CSV files of so many rows, made of training rows."""
    newest = max((FOLDER / "preprocessed").glob("*/train.csv"))
    header, *rows = newest.read_bytes().splitlines()
    return {size: _csv(header, rows, size) for size in sizes}


def _csv(header: bytes, rows: Sequence[bytes], size: int) -> bytes:
    chosen = itertools.islice(itertools.cycle(rows), size)
    named = (b"row_%d,%s" % (at, row.partition(b",")[2]) for at, row in enumerate(chosen))
    return b"\n".join([header, *named, b""])


def peers(served: LoadedModel) -> list[Server]:
    """Build the peers' environment and their forms of the model once, and return their servers."""
    python = peers_python()
    from lightmodel.store import codec

    bundle = codec.unpickle((served.folder / codec.MODEL).read_bytes(), served.version)
    (FOLDER / "model.txt").write_text(bundle["model"]["texts"][0])
    shutil.rmtree(FOLDER / "mlflow", ignore_errors=True)
    here = ROOT / "benchmarks" / "peers"
    names = ",".join(served.contract.feature_names)
    save = [str(python), str(here / "save.py"), str(FOLDER / "model.txt"), str(FOLDER), names]
    subprocess.run(save, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    mlflow: tuple[str, ...] = (
        str(python.parent / "mlflow"),
        "models",
        "serve",
        "-m",
        str(FOLDER / "mlflow"),
    )
    mlflow += ("--env-manager", "local", "-h", "127.0.0.1", "-p", "{port}")
    recipe = (str(python), str(here / "recipe.py"), str(FOLDER / "recipe.joblib"), "{port}")
    return [
        Server("light-model", (sys.executable, str(ROOT / "app.py")), "/predict", True, FOLDER),
        Server("MLflow", mlflow, "/invocations", False, FOLDER),
        Server("plain Flask", recipe, "/predict", True, FOLDER),
    ]


def in_process(served: LoadedModel, body: bytes) -> float:
    """Read, score and encode rows in this process, in the service's blocks; return the seconds."""
    reader: BodyReader = served.body_reader
    started = time.perf_counter()
    writer = JsonWriter()
    for block in reader.read(
        iter([body[at : at + _AT_ONCE] for at in range(0, len(body), _AT_ONCE)])
    ):
        writer.add(served.predictor.answer(block))
    writer.body()
    return time.perf_counter() - started


_AT_ONCE = 256 << 10


def measure_uploads(
    servers: Sequence[Running],
    served: LoadedModel,
    files: dict[int, bytes],
    measured: dict[str, Measured],
) -> None:
    """Send every file to every server, in turns."""
    for size, body in files.items():
        for _ in range(REPEATS[size]):
            for server in servers:
                seconds, _, head = server.post(body)
                one = measured[server.server.name]
                one.seconds.setdefault(size, []).append(seconds)
                if timing := head.lower().partition("server-timing: ")[2].partition("\r\n")[0]:
                    one.parts_ms[size] = dict(map(_part, timing.split(", ")))
            limit = measured["in-process limit"].seconds.setdefault(size, [])
            limit.append(in_process(served, body))


def _part(text: str) -> tuple[str, float]:
    name, _, duration = text.partition(";dur=")
    return name, float(duration)


def measure_memory(servers: Sequence[Running], body: bytes, measured: dict[str, Measured]) -> None:
    """Measure the memory of all processes of a server during the largest upload."""
    for server in servers:
        one = measured[server.server.name]
        one.idle_mb = server.memory() / 1e6
        with watched(server) as samples:
            server.post(body)
        one.peak_mb = max(samples) / 1e6


def measure_load(servers: Sequence[Running], row: bytes, measured: dict[str, Measured]) -> None:
    """Request one row again and again on 8 connections, with wrk."""
    for _ in range(LOAD_TURNS):
        for server in servers:
            measured[server.server.name].requests_s.append(_load(server, row))


def _load(server: Running, row: bytes) -> float:
    kind, body = "text/csv", row
    if server.server.form and server.server.name != "light-model":
        top = b'--b\r\nContent-Disposition: form-data; name="file"; filename="rows.csv"\r\n\r\n'
        kind, body = "multipart/form-data; boundary=b", top + row + b"\r\n--b--\r\n"
    (FOLDER / "body").write_bytes(body)
    script = FOLDER / "post.lua"
    script.write_text(
        f'wrk.method = "POST"\nlocal file = io.open("{FOLDER / "body"}", "rb")\n'
        f'wrk.body = file:read("*a")\nfile:close()\nwrk.headers["Content-Type"] = "{kind}"\n'
    )
    url = f"http://127.0.0.1:{server.port}{server.server.path}"
    command = ["wrk", "-t1", "-c8", f"-d{LOAD_S}s", "-s", str(script), url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output:
        raise RuntimeError(output)
    return float(output.partition("Requests/sec:")[2].split()[0])


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small files and few turns")
    quick = parser.parse_args().quick
    served = model()
    contestants = peers(served)
    files = uploads([1, 100, 10_000] if quick else list(REPEATS))
    measured = {
        name: Measured() for name in (*[one.name for one in contestants], "in-process limit")
    }
    for _ in range(1 if quick else STARTS):
        for server in contestants:
            with running(server, files[1]) as up:
                measured[server.name].first_s.append(up.first_s)
    with ExitStack() as stack:
        servers = [stack.enter_context(running(server, files[1])) for server in contestants]
        measure_load(servers, files[1], measured)
        measure_uploads(servers, served, files, measured)
    for server in contestants:
        with running(server, files[1]) as up:
            measure_memory([up], files[max(files)], measured)
    report = summary(measured)
    show(report)
    if not quick:
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")


def summary(measured: dict[str, Measured]) -> dict[str, Any]:
    """Return medians, 99th percentiles, rates and ratios."""
    machine = {"cores": cores(), "python": platform.python_version(), "machine": platform.machine()}
    return {
        "machine": machine,
        "contestants": {name: _facts(one) for name, one in measured.items()},
    }


def _facts(one: Measured) -> dict[str, Any]:
    uploads = {
        str(size): {
            "median_s": round(statistics.median(times), 5),
            "p99_s": round(sorted(times)[int(len(times) * 0.99)], 5),
            "rows_s": round(size / statistics.median(times)),
            "parts_ms": one.parts_ms.get(size, {}),
        }
        for size, times in one.seconds.items()
    }
    return {
        "uploads": uploads,
        "one_row_requests_s": round(statistics.median(one.requests_s)) if one.requests_s else None,
        "first_answer_s": round(statistics.median(one.first_s), 2) if one.first_s else None,
        "idle_mb": round(one.idle_mb),
        "peak_mb": round(one.peak_mb),
    }


def show(report: dict[str, Any]) -> None:
    """Print one table; ratios are to the first contestant."""
    contestants = report["contestants"]
    table = Table(title="light-model's service and its peers", title_justify="left")
    table.add_column("")
    for name in contestants:
        table.add_column(name, justify="right")
    sizes = list(contestants["light-model"]["uploads"])
    for size in sizes:
        cells = [one["uploads"].get(size) for one in contestants.values()]
        rates = [f"{cell['rows_s']:,} rows/s" for cell in cells]
        times = [f"{cell['median_s'] * 1e3:,.1f} / {cell['p99_s'] * 1e3:,.1f} ms" for cell in cells]
        table.add_row(f"{int(size):,} rows", *rates)
        table.add_row("  median / p99", *times)
        ours = cells[0]["rows_s"]
        table.add_row("  ours is", *[f"{ours / cell['rows_s']:.1f} x" for cell in cells])
    for key in ("one_row_requests_s", "first_answer_s", "idle_mb", "peak_mb"):
        values = [one[key] for one in contestants.values()]
        table.add_row(key, *["" if value is None else f"{value:,}" for value in values])
    console = Console()
    console.print(table)
    for size in sizes:
        parts = contestants["light-model"]["uploads"][size]["parts_ms"]
        console.print(
            f"{int(size):>9,} rows: " + ", ".join(f"{k} {v} ms" for k, v in parts.items())
        )


if __name__ == "__main__":
    main()
