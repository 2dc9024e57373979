"""`make structure`: the size of the package, and the number of its files that one use executes.

A file counts where one of its functions is called; what is only imported, or holds data, does not.
"""

import inspect
import json
import os
import runpy
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lightmodel"
_SETTINGS = """
[data]
source = "sample://santander?rows=2000"
[train]
folds = 2
parameters = {num_leaves = 4, max_rounds = 20}
[gate]
bootstrap = 0
[tracking]
uri = "none"
"""


def modules() -> int:
    """Return the number of Python files of the package, including `__init__.py`."""
    return len(list(PACKAGE.rglob("*.py")))


def lines() -> int:
    """Return the number of lines of these files, including blank ones."""
    return sum(path.read_bytes().count(b"\n") for path in PACKAGE.rglob("*.py"))


@contextmanager
def called_files() -> Iterator[set[str]]:
    """Collect the files of the package in which a function is called, in this thread and later ones.

    Yields:
        Paths relative to `lightmodel/`; they are added while the block runs.
    """
    files: set[str] = set()
    prefix = f"{PACKAGE}/"

    def on_event(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        # Bodies of modules and classes, which run when they are imported, are not "optimized".
        is_function = event == "call" and code.co_flags & inspect.CO_OPTIMIZED
        if is_function and code.co_filename.startswith(prefix):
            files.add(code.co_filename.removeprefix(prefix))

    threading.setprofile(on_event)
    sys.setprofile(on_event)
    try:
        yield files
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def files_of_predict(folder: Path, body: bytes) -> set[str]:
    """Return the files that one `POST /predict` of a CSV goes through.

    Args:
        folder: of a project: its config.toml, and its approved model.
        body: the CSV.
    """
    from lightmodel.config import load
    from lightmodel.service import create_app

    settings = [f"store.root={folder}", f"log.folder={folder / 'var' / 'log'}"]
    client = create_app(load(folder / "config.toml", settings, {}).config).test_client()
    client.post("/predict", data=body, content_type="text/csv")  # the model is loaded by then
    with called_files() as files:
        answer = client.post("/predict", data=body, content_type="text/csv")
    if answer.status_code != 200:
        raise RuntimeError(answer.text)
    return files


def files_of_run(folder: Path, *words: str) -> set[str]:
    """Return the files that `run.py` with these arguments goes through, in a process of its own."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, "-m", "benchmarks.structure", file.name, *words]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)
        return set(json.loads(Path(file.name).read_bytes()))


def _trace_run(file: Path, words: list[str]) -> None:
    sys.argv = [str(ROOT / "run.py"), *words]
    with called_files() as files:
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise
    file.write_text(json.dumps(sorted(files)), encoding="utf-8")


def main() -> None:
    """Measure in a temporary folder, and print."""
    print(f"{lines():,} lines in {modules()} modules")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").write_text(_SETTINGS, encoding="utf-8")
        subprocess.run([sys.executable, str(ROOT / "run.py"), "preprocess"], cwd=folder, check=True)
        _show("run.py train", files_of_run(folder, "train"))
        subprocess.run([sys.executable, str(ROOT / "run.py"), "testing"], cwd=folder, check=True)
        (table,) = folder.glob("preprocessed/*/test.csv")
        body = b"".join(table.read_bytes().splitlines(keepends=True)[:11])
        _show("POST /predict", files_of_predict(folder, body))


def _show(what: str, files: set[str]) -> None:
    print(f"{what} goes through {len(files)} files: {', '.join(sorted(files))}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _trace_run(Path(sys.argv[1]), sys.argv[2:])
    else:
        main()
