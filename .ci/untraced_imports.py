"""Switch tracing off while a library is imported, of which coverage measures nothing.

Python 3.11 runs every line slower under a tracer, measured or not, and a process on a small table
spends most of its time on imports: coverage made it take 1.3 to 1.6 times as long, and now makes it 1.1.
`install` has each process of an environment import this file when it starts.
"""

import os
import sys
import sysconfig
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
_exec_module = SourceFileLoader.exec_module


def exec_module(loader: SourceFileLoader, module: ModuleType) -> None:
    """Execute a module as Python does; one of a library without the tracer of this thread."""
    tracer = sys.gettrace()
    if tracer is None or not loader.path.startswith(LIBRARIES):
        _exec_module(loader, module)
        return
    sys.settrace(None)
    try:
        _exec_module(loader, module)
    finally:
        sys.settrace(tracer)


def install() -> None:
    """Copy this file to where the libraries of this Python are."""
    site = Path(sysconfig.get_path("purelib"))
    own = Path(__file__)
    written = {own.name: own.read_text("utf-8"), f"{own.stem}.pth": f"import {own.stem}\n"}
    for name, text in written.items():
        part = site / f"{name}.{os.getpid()}"  # other parts of CI may be starting processes
        part.write_text(text, encoding="utf-8")
        part.replace(site / name)


if __name__ == "__main__":
    install()
else:
    SourceFileLoader.exec_module = exec_module
