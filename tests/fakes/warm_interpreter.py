"""An interpreter that has imported the libraries, and forks for each script that a test runs.

On a small table, most of the chain's time goes into importing LightGBM, scikit-learn and matplotlib, and
under coverage into tracing those imports. A fork has them already. In all else it is a process like any
other: folder, environment, output and exit code are its own, and it imports `lightmodel` afresh.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from tests.fakes.tracing import pause_tracing_in_libraries
from tests.fakes.waiting import untraced

_ROOT = Path(__file__).parents[2]
LIBRARIES = (
    "click",
    "coverage",
    "filelock",
    "jinja2",
    "lightgbm",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "openpyxl",
    "optuna",
    "orjson",
    "pebble",
    "PIL.PngImagePlugin",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.json",
    "pydantic.dataclasses",
    "pydantic.main",
    "pydantic.type_adapter",
    "rich.progress",
    "rich.table",
    "scipy.optimize",
    "sklearn.compose",
    "sklearn.isotonic",
    "sklearn.linear_model",
    "sklearn.neighbors",
    "sklearn.pipeline",
    "sqlalchemy.orm",
    "tomlkit",
    "urllib.request",
)
_HASH_SEED = "PYTHONHASHSEED"
_MAX_REQUEST = 1 << 17  # bytes


class _Request(TypedDict):
    """What a fork is to run, and where."""

    words: list[str]
    folder: str
    environ: dict[str, str]


class WarmInterpreter:
    """Runs scripts in forks of one interpreter, which ends when this process does."""

    def __init__(self) -> None:
        self._control, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(far.fileno())],
                env={**untraced(), "PYTHONPATH": str(_ROOT)},  # only forks are traced
                pass_fds=[far.fileno()],
                cwd=_ROOT,
            )
        atexit.register(self._end)

    def _end(self) -> None:
        self._control.close()
        self._process.wait()

    def run(
        self, words: Sequence[str], folder: Path, environ: Mapping[str, str], timeout_s: float
    ) -> "subprocess.CompletedProcess[str]":
        """Run a script, or -m and a module, with arguments; see `run_python`."""
        asked = _Request(words=[*words], folder=str(folder), environ={**environ})
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with near, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            with far:
                descriptors = [out.fileno(), err.fileno(), far.fileno()]
                socket.send_fds(self._control, [json.dumps(asked).encode()], descriptors)
            code = _wait(near, words, timeout_s)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess([*words], code, out.read(), err.read())


def run_process(
    words: Sequence[str], folder: Path, environ: Mapping[str, str], timeout_s: float
) -> "subprocess.CompletedProcess[str]":
    """Run `python WORDS…` in a process that begins from nothing; see `run_python`."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def run_python(
    words: Sequence[str], folder: Path, environ: Mapping[str, str], timeout_s: float = 300
) -> "subprocess.CompletedProcess[str]":
    """Run `python WORDS…` in a folder: in a fork, unless PYTHONHASHSEED is set, which a fork cannot change.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    can_fork = sys.platform == "linux" and environ.get(_HASH_SEED) == os.environ.get(_HASH_SEED)
    run = _interpreter().run if can_fork else run_process
    return run(words, folder, environ, timeout_s)


_interpreter = functools.cache(WarmInterpreter)  # one in each process that runs tests


def _wait(status: socket.socket, words: Sequence[str], timeout_s: float) -> int:
    """Return the exit code of the fork that reports its process id and its end to this socket."""
    process = int(status.recv(64))
    status.settimeout(timeout_s)
    try:
        return int(status.recv(64))
    except BaseException as error:
        os.kill(process, signal.SIGKILL)
        if isinstance(error, TimeoutError):
            raise subprocess.TimeoutExpired([*words], timeout_s) from None
        raise


def _serve(control: socket.socket) -> list[str] | None:
    """Fork for each request; return the words to run in the fork, and None when nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, _MAX_REQUEST, 3)
        if not message:
            _reap()
            return None
        if os.fork() == 0:
            control.close()
            asked: _Request = json.loads(message)
            _fork_again(*descriptors)
            os.chdir(asked["folder"])
            os.environ.clear()
            os.environ.update(asked["environ"])
            return asked["words"]
        for descriptor in descriptors:
            os.close(descriptor)
        _reap(os.WNOHANG)


def _reap(options: int = 0) -> None:
    """Wait for the children: for those that have ended, or for all of them."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def _fork_again(out: int, err: int, status: int) -> None:
    """Return in a fork with this output; the process itself waits for it and reports its end."""
    child = os.fork()
    if child:
        with socket.socket(fileno=status) as reports:
            reports.send(str(child).encode())
            _, ended = os.waitpid(child, 0)
            reports.send(str(os.waitstatus_to_exitcode(ended)).encode())
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for descriptor in (out, err, status):
        os.close(descriptor)


def _run(words: list[str]) -> None:
    """Do as `python WORDS…` does."""
    if coverage := sys.modules.get("coverage"):
        coverage.process_startup()
        pause_tracing_in_libraries()
    # The first entries are this file's folder and the repository, see `WarmInterpreter`.
    first = Path.cwd() if words[0] == "-m" else Path(words[0]).parent
    sys.path[:2] = [str(first), *os.environ["PYTHONPATH"].split(os.pathsep)]
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    # No fork searches the libraries for garbage, which took a third of its time: mostly when it ends.
    gc.freeze()
    if asked := _serve(socket.socket(fileno=int(sys.argv[1]))):
        _run(asked)
