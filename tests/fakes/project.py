"""The scripts as a user runs them: processes in a folder of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.csv as arrow_csv

from tests.fakes.tables import shop_table
from tests.fakes.waiting import running, wait_until
from tests.fakes.warm_interpreter import run_python

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """A finished process."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Project:
    """A folder with a table, and the scripts to run on it."""

    folder: Path

    def command(self, *words: str, script: str = "run.py") -> list[str]:
        return [sys.executable, str(ROOT / script), *words]

    def run(self, *words: str, script: str = "run.py", **environ: str) -> Ran:
        return self._python(str(ROOT / script), *words, **environ)

    def tool(self, *words: str, **environ: str) -> Ran:
        return self._python("-m", "lightmodel", *words, **environ)

    def _python(self, *words: str, **environ: str) -> Ran:
        everything = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
        done = run_python(words, self.folder, everything)
        return Ran(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def started(self, *words: str) -> "Iterator[subprocess.Popen[bytes]]":
        """Start run.py in the background, with its log in `run.log`; kill it at the end."""
        options = {"cwd": self.folder, "env": {**os.environ, "PYTHONPATH": str(ROOT)}}
        with (
            (self.folder / "run.log").open("wb") as log,
            running(self.command(*words), stdout=log, stderr=log, **options) as process,
        ):
            yield process

    def kill_when(self, words: Sequence[str], condition: Callable[[], bool]) -> int:
        """Start run.py, kill it with SIGKILL once the condition holds, and return its exit code."""
        with self.started(*words) as process:
            wait_until(
                lambda: condition() or process.poll() is not None,
                "the moment to kill run.py",
                seconds=300,
                interval_s=0.01,
            )
            process.send_signal(signal.SIGKILL)
            return process.wait()

    def models(self) -> list[Path]:
        """Return the folders of the published models, oldest first."""
        return sorted(path.parent for path in self.folder.glob("model/*/manifest.json"))

    def splits(self) -> list[Path]:
        return sorted(path.parent for path in self.folder.glob("preprocessed/*/manifest.json"))

    def settings(self, text: str) -> None:
        (self.folder / "config.toml").write_text(text, encoding="utf-8")


def shop_project(folder: Path, settings: str) -> Project:
    """Return a project in this folder with the shop's table and these settings."""
    arrow_csv.write_csv(shop_table(), folder / "shop.csv")
    project = Project(folder)
    project.settings(settings)
    return project


def approved_project(folder: Path, settings: str) -> Project:
    """Return such a project after its first run, with an approved model."""
    project = shop_project(folder, settings)
    ran = project.run()
    assert ran.code == 0, ran.err
    return project


SETTINGS = """
[data]
source = "shop.csv"
target = "bought"
[train]
folds = 4
threads = 1
parameters = {num_leaves = 4, max_rounds = 60, learning_rate = 0.25}
compile = "never"
[gate]
bootstrap = 50
"""
COMPILED = SETTINGS.replace('compile = "never"', 'compile = "auto"')
