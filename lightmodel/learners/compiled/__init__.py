"""Compiled scoring and reading: a model as tables, and the C sources as a library for this machine."""

import ctypes
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lightmodel.learners.compiled.tables import NotCompiledError, Tables, tables_of
from lightmodel.learners.compiled.trees import STORED, CompiledTrees
from lightmodel.tables import row_readers

LIBRARY, TABLES, ABOUT = "compiled.so", "compiled.npy", "compiled.json"
_COMPILERS = ("cc", "gcc", "clang")
_FLAGS = ("-O3", "-std=c11", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno")
_WIDE = "-march=x86-64-v3"
_WIDE_NEEDS = ("abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe")
_PATIENCE_S = 120


def compiled_files(payload: dict[str, Any]) -> dict[str, bytes]:
    """Compile a LightGBM model, and return files by name.

    Raises:
        NotCompiledError: there is no C compiler, or the model is not of a kind that we compile.
    """
    tables, (library, about) = packed(payload["texts"]), build()
    text = json.dumps(about, indent=1, sort_keys=True).encode() + b"\n"
    return {LIBRARY: library, TABLES: tables, ABOUT: text}


def open_compiled(
    read: Callable[[str], bytes],
) -> tuple[CompiledTrees, row_readers.CompiledRowReader]:
    """Open what scores, and what reads rows; `read` returns the checked bytes of a file.

    Raises:
        NotCompiledError: it does not run here.
    """
    library = load(read(LIBRARY), json.loads(read(ABOUT)))
    return CompiledTrees(library, unpacked(read(TABLES))), row_readers.CompiledRowReader(library)


def packed(texts: Sequence[str]) -> bytes:
    """Turn models' texts into the bytes that `unpacked` reads.

    Raises:
        NotCompiledError: a model uses something that trees.c does not know.
    """
    stream = io.BytesIO()
    np.save(stream, np.array(len(texts)), allow_pickle=False)
    for tables in map(tables_of, texts):
        for name in STORED:
            np.save(stream, tables[name], allow_pickle=False)
    return stream.getvalue()


def unpacked(data: bytes) -> list[Tables]:
    """Read what `packed` wrote.

    Raises:
        NotCompiledError: it is something else.
    """
    stream = io.BytesIO(data)
    try:
        return [
            {name: np.load(stream, allow_pickle=False) for name in STORED}
            for _ in range(int(np.load(stream, allow_pickle=False)))
        ]
    except (ValueError, OSError, EOFError) as error:
        raise NotCompiledError(f"its tables cannot be read: {type(error).__name__}") from None


def build() -> tuple[bytes, dict[str, Any]]:
    """Compile the C sources for this machine; some seconds.

    Returns:
        a shared library, and where it runs: `machine`, the operating system and processor family;
        `cpu`, what the processor must have, as Linux names it; `sources`, hash of what it was made from.

    Raises:
        NotCompiledError: there is no C compiler, or it fails.
    """
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise NotCompiledError(f"there is no C compiler ({', '.join(_COMPILERS)})")
    cpu = _WIDE_NEEDS if set(_WIDE_NEEDS) <= _cpu_features() else ()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "library.so"
        wide = [_WIDE] if cpu else []
        command = [compiler, *_FLAGS, *wide, "-o", str(target), *map(str, _sources()), "-lm"]
        try:
            done = subprocess.run(  # noqa: S603 — the compiler, on sources of ours
                command, capture_output=True, timeout=_PATIENCE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotCompiledError(f"{compiler} does not run: {type(error).__name__}") from None
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise NotCompiledError(f"{compiler} fails: {' '.join(last)[:200]}")
        about = {"machine": _machine(), "cpu": cpu, "sources": _sources_sha256()}
        return target.read_bytes(), about


def _machine() -> str:
    """Name the operating system and the processor family."""
    return f"{sys.platform}-{platform.machine()}"


def _cpu_features() -> set[str]:
    """Return the processor's features as Linux lists them; elsewhere none are known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return set(flags.partition(":")[2].split())


def _sources_sha256() -> str:
    """Return the hash of the C sources: a library of other sources takes other tables."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in _sources())).hexdigest()


def _sources() -> list[Path]:
    return [Path(row_readers.__file__).with_name("rows.c"), Path(__file__).with_name("trees.c")]


def load(library: bytes, about: Mapping[str, Any]) -> ctypes.CDLL:
    """Load what `build` returned, which somebody vouches for: exactly these bytes.

    Raises:
        NotCompiledError: it does not run here.
    """
    if about["sources"] != _sources_sha256():
        raise NotCompiledError("it was compiled by another version of light-model")
    if about["machine"] != _machine():
        raise NotCompiledError(f"it was compiled for {about['machine']}, and this is {_machine()}")
    if lacking := sorted(set(about["cpu"]) - _cpu_features()):
        raise NotCompiledError(f"this processor has no {', '.join(lacking)}")
    try:
        return _opened(library)
    except OSError as error:
        raise NotCompiledError(f"it cannot be loaded: {type(error).__name__}") from None


@cache
def _opened(library: bytes) -> ctypes.CDLL:
    """Open a library from memory where the system can: a disk may be full, or not executable.

    Its handle stays open: the loader knows a library by its path, and would take a later one with the
    same number for this.
    """
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("light-model")
        with open(handle, "wb", closefd=False) as file:
            file.write(library)
        return ctypes.CDLL(f"/proc/self/fd/{handle}")
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(library)
        file.flush()
        return ctypes.CDLL(file.name)
