"""The console as it runs: a process of its own."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.ports import free_port
from tests.fakes.project import ROOT
from tests.fakes.server import wait_until_it_answers
from tests.fakes.waiting import running


@dataclass(frozen=True)
class RunningConsole:
    """A console: its address, its process, and its log."""

    address: str
    process: psutil.Process
    log: Path

    def peak_mb(self) -> float:
        """Return the largest memory that it has had, in megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024


@contextmanager
def running_console(folder: Path, service: str, **environ: str) -> Iterator[RunningConsole]:
    """Start `python -m lightmodel console` for a service, yield it, and end it."""
    port = free_port()
    base = environ.get("LIGHTMODEL__CONSOLE__BASE_PATH", "")
    address = f"http://127.0.0.1:{port}{f'/{base}' if base else ''}"
    log = folder / f"console-{port}.log"
    settings = {
        "PYTHONPATH": str(ROOT),
        "LIGHTMODEL__CONSOLE__SERVICE_URL": service,
        "LIGHTMODEL__CONSOLE__FOLDER": str(folder / f"answers-{port}"),
        "LIGHTMODEL__CONSOLE__SAMPLE_INTERVAL_S": "1",
    }
    command = [sys.executable, "-m", "lightmodel", "console"]
    with (
        log.open("wb") as output,
        running(
            [*command, "--port", str(port)],
            cwd=folder,
            env={**os.environ, **settings, **environ},
            stdout=output,
            stderr=output,
        ) as process,
    ):
        wait_until_it_answers(f"{address}/_stcore/health", process)
        yield RunningConsole(address, psutil.Process(process.pid), log)
        # Uvicorn ends itself by SIGTERM again where it is asked so, and coverage would write nothing.
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
