"""`make bench-quality`: the chain against what people would pick, on the same training and test rows.

Eight tables that packages ship: two classes, several, and numbers; from 178 to 53,940 rows; with and
without categories and gaps. The chain's own split decides which rows are tested. The blend is that of
`light-model compare --ensemble`: of LightGBM, extra trees and a small network the best or their blend is
trained. Peers run with their defaults; FLAML has as many seconds as the whole chain took, AutoGluon
(medium quality) as the blend. CPU seconds are those of the whole process: for the chain those of
preprocess, train and testing, with its report.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lightmodel.config import load
from lightmodel.pipeline.context import contract_of, read_split
from lightmodel.scoring.model_store import open_version
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.store.verdict import read_verdict
from lightmodel.store.versions import models_of, splits_of

FOLDER = Path("var/bench/quality")
RESULTS = Path("benchmarks/results/quality.json")
HERE = Path(__file__).parent / "peers"
OURS = "light-model"
BLENDED = f"{OURS} compare --ensemble"
BLENDED_LEARNERS = ("lightgbm", "extra-trees", "mlp")
BUDGETS = {"FLAML": OURS, "AutoGluon": BLENDED}
DEFAULTS = ("LightGBM", "XGBoost", "CatBoost", "HistGradientBoosting")
ONE_ROW_CALLS = 30


@dataclass(frozen=True)
class Result:
    """What one way reaches on one table: log loss or RMSE on the test rows, and what it takes."""

    loss: float
    cpu_s: float
    wall_s: float
    one_row_ms: float


def run(command: Sequence[str]) -> tuple[str, float, float]:
    """Run a process; return what it prints, its wall seconds, and the CPU seconds of it and its children.

    A rejected model is a result as well: what is asked is how good it is.
    """
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 10}:
        sys.exit(f"{command} failed with {process.returncode}")
    return printed, time.perf_counter() - started, usage.ru_utime + usage.ru_stime


def settings_of(table: Path, target: str, folder: Path) -> tuple[str, ...]:
    """Return the settings of the chain on a table, with all that it writes in a folder."""
    return (
        *(f"data.source={table}", f"data.target={target}", "data.id=row", "tracking.uri=none"),
        *(f"store.root={folder}", f"store.work={folder}/work"),
    )


def by_the_chain(every: Sequence[str], folder: Path) -> Result:
    """Run the chain in a fresh folder."""
    shutil.rmtree(folder, ignore_errors=True)
    options = [word for one in every for word in ("--set", one)]
    _, wall_s, cpu_s = run([sys.executable, "run.py", "--config", os.devnull, *options])
    return measured(every, wall_s, cpu_s)


def by_a_blend(every: Sequence[str], folder: Path, metric: str) -> Result:
    """Split the rows of a table, compare learners on them, and train and test the winner or the blend."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = folder / "config.toml"
    file.touch()
    options = ["--config", str(file)]
    options += [word for one in (*every, f"gate.metric={metric}") for word in ("--set", one)]
    only = [word for name in BLENDED_LEARNERS for word in ("--only", name)]
    compare = ["-m", "lightmodel", "compare", "--ensemble", *only, "--write", "--force"]
    taken = [
        run([sys.executable, *command, *options])[1:]
        for command in (("run.py", "preprocess"), compare, ("run.py", "train", "testing"))
    ]
    wall_s, cpu_s = (sum(one) for one in zip(*taken, strict=True))
    return measured(every, wall_s, cpu_s)


def measured(every: Sequence[str], wall_s: float, cpu_s: float) -> Result:
    """Return the result of the newest model of some settings."""
    config = load(Path(os.devnull), every).config
    version = models_of(config).newest()
    verdict = read_verdict(version, models_of(config).signer)
    assert verdict
    served = open_version(version, config)
    body = json.dumps([served.samples[0]["values"]]).encode()
    loss = verdict.metrics.get("log_loss", verdict.metrics.get("rmse"))
    assert loss is not None
    return Result(loss, cpu_s, wall_s, _one_row_ms(served, body))


def _one_row_ms(served: LoadedModel, body: bytes) -> float:
    """Return the median milliseconds from a JSON body of one row to its answer."""
    times = []
    for _ in range(ONE_ROW_CALLS):
        start = time.perf_counter()
        rows = json.loads(body)
        served.predictor.answer(served.body_reader.json_blocks.block(rows))
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def write_split(folder: Path, target: str, path: Path) -> None:
    """Write which rows the chain trained on and tested, by their numbers."""
    config = load(Path(os.devnull), (f"store.root={folder}", f"store.work={folder}/work")).config
    splits = splits_of(config)
    split = splits.newest()
    rows = {part: read_split(splits, split, part)["row"].to_pylist() for part in ("train", "test")}
    numbers = {part: [int(one) for one in values] for part, values in rows.items()}
    classes = contract_of(split).task.kind.has_classes
    path.write_text(json.dumps({**numbers, "target": target, "classes": classes}), encoding="utf-8")


def by_a_peer(python: str, peer: str, table: Path, split: Path, seconds: float) -> Result:
    """Run a peer in its own environment."""
    command = [
        python,
        str(HERE / "quality_peer.py"),
        peer,
        str(table),
        str(split),
        f"{seconds:.1f}",
    ]
    printed, wall_s, cpu_s = run(command)
    return Result(cpu_s=cpu_s, wall_s=wall_s, **json.loads(printed.strip().rpartition("\n")[2]))


def measure(python: str, name: str, table: Path, target: str) -> dict[str, Result]:
    """Return what each way reaches on one table."""
    chain, blend = (FOLDER / way / table.stem for way in ("chain", "blend"))
    results = {OURS: by_the_chain(settings_of(table, target, chain), chain)}
    split = FOLDER / f"{table.stem}.json"
    write_split(chain, target, split)
    metric = "log_loss" if json.loads(split.read_text())["classes"] else "rmse"
    results[BLENDED] = by_a_blend(settings_of(table, target, blend), blend, metric)
    for peer in (*DEFAULTS, *BUDGETS):
        seconds = results[BUDGETS.get(peer, OURS)].wall_s
        results[peer] = by_a_peer(python, peer, table, split, seconds)
    Console().print(
        f"{name}: " + ", ".join(f"{way} {one.loss:.4g}" for way, one in results.items())
    )
    return results


def mean_ranks(tables: Mapping[str, Mapping[str, Result]]) -> dict[str, float]:
    """Return the mean rank of each way over the tables, 1 for the lowest loss; equal ones share theirs."""
    ranks: dict[str, list[float]] = {}
    for results in tables.values():
        losses = [one.loss for one in results.values()]
        for way, result in results.items():
            lower = sum(loss < result.loss for loss in losses)
            ranks.setdefault(way, []).append(lower + (losses.count(result.loss) + 1) / 2)
    return {way: statistics.mean(values) for way, values in ranks.items()}


def show(tables: Mapping[str, Mapping[str, Result]]) -> None:
    """Print the losses, with CPU seconds in brackets, and the summaries."""
    ways = list(next(iter(tables.values())))
    printed = Table(title="Log loss or RMSE on the test rows (CPU seconds)")
    for heading in ("table", *ways, "beside the best default"):
        printed.add_column(heading, justify="left" if heading == "table" else "right")
    for name, results in tables.items():
        best = min(results[way].loss for way in DEFAULTS)
        cells = [f"{one.loss:.4g} ({one.cpu_s:.1f})" for one in results.values()]
        printed.add_row(name, *cells, f"{results[OURS].loss / best - 1:+.1%}")
    ranks = mean_ranks(tables)
    printed.add_row("mean rank", *(f"{ranks[way]:.2f}" for way in ways), "")
    for title, attribute in (("CPU seconds in all", "cpu_s"), ("one row, ms", "one_row_ms")):
        values = [[getattr(results[way], attribute) for results in tables.values()] for way in ways]
        fold = sum if attribute == "cpu_s" else statistics.median
        printed.add_row(title, *(f"{fold(one):.3g}" for one in values), "")
    Console(width=200).print(printed)


def main() -> None:
    """Measure all tables, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True, help="Python of requirements/quality.txt.")
    parser.add_argument("tables", nargs="*", help="Names of tables; default: all.")
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run([given.python, HERE / "quality_tables.py", FOLDER], check=True)
    about = json.loads((FOLDER / "tables.json").read_text(encoding="utf-8"))
    tables = {
        name: measure(given.python, name, FOLDER / one["file"], one["target"])
        for name, one in about.items()
        if not given.tables or name in given.tables
    }
    show(tables)
    if not given.tables:
        plain = {
            name: {way: asdict(one) for way, one in all_.items()} for name, all_ in tables.items()
        }
        machine = f"{platform.machine()}, {os.cpu_count()} cores"
        RESULTS.write_text(json.dumps({"machine": machine, "tables": plain}, indent=1) + "\n")


if __name__ == "__main__":
    main()
