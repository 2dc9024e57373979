"""What runs a script: a process of its own, or a fork of an interpreter with the libraries."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.fakes.project import ROOT
from tests.fakes.waiting import wait_until
from tests.fakes.warm_interpreter import run_process, run_python

Run = Callable[..., "subprocess.CompletedProcess[str]"]
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
WAYS = [
    pytest.param(run_python, marks=ON_LINUX, id="fork"),
    pytest.param(run_process, id="process"),
]


@pytest.fixture(params=WAYS)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Return what runs Python code with arguments in the test's folder, several at the same time too."""
    numbers = itertools.count()

    def run_code(
        code: str, *words: str, timeout_s: float = 120, **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        script = tmp_path / f"script{next(numbers)}.py"
        script.write_text(code, encoding="utf-8")
        everything = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
        done: subprocess.CompletedProcess[str] = request.param(
            [str(script), *words], tmp_path, everything, timeout_s
        )
        return done

    return run_code


def test_folder_arguments_environment_output_and_code_are_its_own(run: Run, tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "print(os.getcwd(), sys.argv[1:], os.environ['TOLD'], __name__, flush=True)\n"
        "os.write(2, b'beside')\nsys.exit(7)"
    )
    done = run(code, "a", "b c", TOLD="this")
    assert done.stdout == f"{tmp_path} ['a', 'b c'] this __main__\n"
    assert (done.stderr, done.returncode) == ("beside", 7)
    assert "TOLD" not in os.environ


def test_modules_beside_the_script_and_on_the_path_are_found(run: Run, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("HERE = 1")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "there.py").write_text("THERE = 2")
    code = "import beside, there\nprint(beside.HERE, there.THERE)"
    done = run(code, PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path / 'elsewhere'}")
    assert done.stdout == "1 2\n", done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_a_module_is_run_with_its_arguments(way: Run, tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = way(["-m", "lightmodel", "--version"], tmp_path, environ, 120)
    assert "version" in done.stdout, done.stderr


def test_the_package_is_imported_afresh(run: Run) -> None:
    done = run("import sys\nprint([name for name in sys.modules if 'lightmodel' in name])")
    assert done.stdout == "[]\n"


def test_an_error_is_shown_and_what_is_registered_for_the_end_is_run(run: Run) -> None:
    done = run("import atexit\natexit.register(print, 'the end')\n1 / 0")
    assert (done.stdout, done.returncode) == ("the end\n", 1)
    assert "ZeroDivisionError" in done.stderr


def test_what_takes_too_long_is_killed(run: Run, tmp_path: Path) -> None:
    code = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(600)"
    with pytest.raises(subprocess.TimeoutExpired):
        run(code, timeout_s=2)
    if (tmp_path / "pid").exists():
        process = int((tmp_path / "pid").read_text())
        wait_until(lambda: not psutil.pid_exists(process), "the end of the script")


def test_two_run_side_by_side(run: Run) -> None:
    waits = "import pathlib, time\nwhile not pathlib.Path('sign').exists(): time.sleep(0.01)"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run, waits)
        assert run("import pathlib\npathlib.Path('sign').touch()").returncode == 0
        assert waiting.result(timeout=120).returncode == 0
