"""The C sources of the package, as a shared library for this machine."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lightmodel import tables

_COMPILERS = ("cc", "gcc", "clang")
_FLAGS = ("-O3", "-std=c11", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno")
_WIDE = "-march=x86-64-v3"
_WIDE_NEEDS = ("abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe")
_PATIENCE_S = 120


@dataclass(frozen=True)
class Built:
    """A shared library, and where it runs.

    Attributes:
        machine: operating system and processor family.
        cpu: features that the processor must have, as Linux names them.
        sources: hash of what it was made from.
    """

    library: bytes
    machine: str
    cpu: tuple[str, ...]
    sources: str


class NotCompiledError(Exception):
    """Why there is no library; not an error of the user's, for there is another way."""


def build() -> Built:
    """Compile; some seconds.

    Raises:
        NotCompiledError: there is no C compiler, or it fails.
    """
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise NotCompiledError(f"there is no C compiler ({', '.join(_COMPILERS)})")
    cpu = _WIDE_NEEDS if set(_WIDE_NEEDS) <= cpu_features() else ()
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
        return Built(target.read_bytes(), machine(), cpu, sources_sha256())


def machine() -> str:
    """Name the operating system and the processor family."""
    return f"{sys.platform}-{platform.machine()}"


def cpu_features() -> set[str]:
    """Return the processor's features as Linux lists them; elsewhere none are known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return set(flags.partition(":")[2].split())


def sources_sha256() -> str:
    """Return the hash of the C sources: a library of other sources takes other tables."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in _sources())).hexdigest()


def _sources() -> list[Path]:
    return [Path(tables.__file__).with_name("rows.c"), Path(__file__).with_name("trees.c")]


def load(built: Built) -> ctypes.CDLL:
    """Load a library that somebody vouches for: exactly these bytes.

    Raises:
        NotCompiledError: it does not run here.
    """
    if built.sources != sources_sha256():
        raise NotCompiledError("it was compiled by another version of light-model")
    if built.machine != machine():
        raise NotCompiledError(f"it was compiled for {built.machine}, and this is {machine()}")
    if lacking := sorted(set(built.cpu) - cpu_features()):
        raise NotCompiledError(f"this processor has no {', '.join(lacking)}")
    try:
        return _opened(built.library)
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
