"""A Dask cluster on this machine: a scheduler and workers, as their commands start them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from lightmodel.config import DaskSection
from tests.fakes.waiting import running, wait_until

ROOT = Path(__file__).parents[2]
START_S = 240.0  # other tests use the processors, too


@dataclass
class DaskCluster:
    """A scheduler, and workers of one thread, each with a nanny that starts it again.

    Attributes:
        workers: the nannies.
    """

    folder: Path
    address: str
    scheduler: "subprocess.Popen[Any]"
    stack: ExitStack
    workers: "list[subprocess.Popen[Any]]" = field(default_factory=list)

    def section(self, timeout_s: float = START_S) -> DaskSection:
        return DaskSection(scheduler=self.address, engine="dask", timeout_s=timeout_s)

    def environ(self, timeout_s: float = START_S) -> dict[str, str]:
        """Return the variables by which a process uses it."""
        return {
            "LIGHTMODEL__DASK__SCHEDULER": self.address,
            "LIGHTMODEL__DASK__ENGINE": "dask",
            "LIGHTMODEL__DASK__TIMEOUT_S": str(timeout_s),
        }

    def add_worker(self, package: Path = ROOT) -> None:
        """Start a worker that imports the project from this folder, and wait until it has registered."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        words = ["worker", self.address, "--nthreads", "1", "--no-dashboard"]
        words += ["--local-directory", str(self.folder), "--host", "127.0.0.1"]
        self.workers.append(self.stack.enter_context(_dask(words, log, package)))
        wait_until(
            lambda: "Registered to" in log.read_text("utf-8", "replace"),
            "the worker",
            process=self.workers[-1],
            seconds=START_S,
        )

    def kill_workers(self) -> None:
        """Kill all workers for good: first the nannies, which would start them again."""
        for nanny in self.workers:
            with suppress(psutil.NoSuchProcess):
                children = psutil.Process(nanny.pid).children(recursive=True)
                nanny.kill()
                nanny.wait()
                for child in children:
                    with suppress(psutil.NoSuchProcess):
                        child.kill()

    def kill_scheduler(self) -> None:
        self.scheduler.kill()
        self.scheduler.wait()

    def freeze_scheduler(self) -> None:
        """Let it keep its connections, and answer nothing."""
        self.scheduler.send_signal(signal.SIGSTOP)


@contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[DaskCluster]:
    """Start a cluster, and end it with the test."""
    file = folder / "scheduler.json"
    words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with ExitStack() as stack:
        started = _dask([*words, "--scheduler-file", str(file)], folder / "scheduler.log", ROOT)
        scheduler = stack.enter_context(started)
        wait_until(lambda: _address(file), "the scheduler", process=scheduler, seconds=START_S)
        cluster = DaskCluster(folder, _address(file), scheduler, stack)
        for _ in range(workers):
            cluster.add_worker()
        yield cluster
        cluster.kill_workers()


def _address(file: Path) -> str:
    """Return the address in the scheduler's file; "" until it is written."""
    try:
        return str(json.loads(file.read_text("utf-8"))["address"])
    except (FileNotFoundError, ValueError):
        return ""


@contextmanager
def _dask(words: list[str], log: Path, package: Path) -> "Iterator[subprocess.Popen[Any]]":
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), str(ROOT)])}
    command = [sys.executable, "-m", "dask", *words]
    with (
        log.open("wb") as file,
        running(command, stdout=file, stderr=file, env=environ, cwd=log.parent) as process,
    ):
        yield process
