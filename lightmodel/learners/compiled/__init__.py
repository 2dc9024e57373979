"""Compiled scoring and row reading: a model as flat tables, and the C sources as a shared library."""

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
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lightmodel.errors import ConfigError, StorageFull
from lightmodel.files import write_atomic
from lightmodel.learners.compiled.tables import NotCompiledError, Tables, tables_of
from lightmodel.learners.compiled.trees import STORED, CompiledTrees
from lightmodel.tables import row_readers

LIBRARY, TABLES, ABOUT = "compiled.so", "compiled.npy", "compiled.json"
_COMPILERS = ("cc", "gcc", "clang")
_FLAGS = ("-O3", "-std=c11", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno")
_AVX2_FLAG = "-march=x86-64-v3"
_AVX2_FEATURES = ("abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe")
_COMPILE_TIMEOUT_S = 120


def compiled_files(payload: dict[str, Any], cache: Path) -> dict[str, bytes]:
    """Compile a LightGBM model, and return the content of its files by name.

    `cache` is a folder for the library, which is the same for all models.

    Raises:
        NotCompiledError: there is no C compiler, or this kind of model is not supported.
    """
    tables, (library, about) = pack_tables(payload["texts"]), cached_library(cache)
    text = json.dumps(about, indent=1, sort_keys=True).encode() + b"\n"
    return {LIBRARY: library, TABLES: tables, ABOUT: text}


def open_compiled(
    read: Callable[[str], bytes],
) -> tuple[CompiledTrees, row_readers.CompiledRowReader]:
    """Load the compiled model and the row reader; `read` returns the verified bytes of a file.

    Raises:
        NotCompiledError: the library does not run on this machine.
    """
    library = load_library(read(LIBRARY), json.loads(read(ABOUT)))
    return CompiledTrees(library, unpack_tables(read(TABLES))), row_readers.CompiledRowReader(
        library
    )


def pack_tables(texts: Sequence[str]) -> bytes:
    """Convert model texts to the bytes of their tables.

    Raises:
        NotCompiledError: a model uses something that trees.c does not support.
    """
    stream = io.BytesIO()
    np.save(stream, np.array(len(texts)), allow_pickle=False)
    for tables in map(tables_of, texts):
        for name in STORED:
            np.save(stream, tables[name], allow_pickle=False)
    return stream.getvalue()


def unpack_tables(data: bytes) -> list[Tables]:
    """Read the tables of all models from the bytes that `pack_tables` wrote.

    Raises:
        NotCompiledError: the bytes are not such tables.
    """
    stream = io.BytesIO(data)
    try:
        return [
            {name: np.load(stream, allow_pickle=False) for name in STORED}
            for _ in range(int(np.load(stream, allow_pickle=False)))
        ]
    except (ValueError, OSError, EOFError) as error:
        raise NotCompiledError(f"its tables cannot be read: {type(error).__name__}") from None


def cached_library(cache: Path) -> tuple[bytes, dict[str, Any]]:
    """Return what `compile_library` does, from a file in `cache` where there is one that still fits.

    Compiling takes about as long as everything else that `train` does on a small table.

    Raises:
        NotCompiledError: there is no C compiler, or it fails.
    """
    compiler, about = _compiler(), _requirements()
    installed = compiler.stat()
    made_by = [str(compiler), installed.st_size, installed.st_mtime_ns, *_FLAGS, about]
    prefix = hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:32]
    for path in cache.glob(f"{prefix}-*.so"):
        library = path.read_bytes()
        if path.name == _cache_name(prefix, library):
            return library, about
    library, about = compile_library()
    with suppress(OSError, StorageFull, ConfigError):  # the next training compiles again
        cache.mkdir(parents=True, exist_ok=True)
        write_atomic(cache / _cache_name(prefix, library), library)
    return library, about


def _cache_name(prefix: str, library: bytes) -> str:
    return f"{prefix}-{hashlib.sha256(library).hexdigest()}.so"


def compile_library() -> tuple[bytes, dict[str, Any]]:
    """Compile the C sources for this machine, which takes some seconds.

    Returns:
        the bytes of a shared library, and its requirements: `machine`, operating system and processor
        family; `cpu`, the processor features by their Linux names; `sources`, the hash of the sources.

    Raises:
        NotCompiledError: there is no C compiler, or it fails.
    """
    compiler, about = _compiler(), _requirements()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "library.so"
        avx2 = [_AVX2_FLAG] if about["cpu"] else []
        command = [str(compiler), *_FLAGS, *avx2, "-o", str(target), *map(str, _sources()), "-lm"]
        try:
            result = subprocess.run(  # noqa: S603 — the compiler, on our own sources
                command, capture_output=True, timeout=_COMPILE_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotCompiledError(f"{compiler} cannot be run: {type(error).__name__}") from None
        if result.returncode:
            last = result.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise NotCompiledError(f"{compiler} failed: {' '.join(last)[:200]}")
        return target.read_bytes(), about


def _compiler() -> Path:
    found = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if found is None:
        raise NotCompiledError(f"there is no C compiler ({', '.join(_COMPILERS)})")
    return Path(found)


def _requirements() -> dict[str, Any]:
    """Return what a library that is compiled now needs where it runs."""
    cpu = _AVX2_FEATURES if set(_AVX2_FEATURES) <= _cpu_features() else ()
    return {"machine": _machine(), "cpu": cpu, "sources": _sources_sha256()}


def _machine() -> str:
    """Return the operating system and the processor family."""
    return f"{sys.platform}-{platform.machine()}"


def _cpu_features() -> set[str]:
    """Return the processor's features as Linux lists them; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return set(flags.partition(":")[2].split())


def _sources_sha256() -> str:
    """Return the hash of the C sources, which a library and its tables must share."""
    every = [*_sources(), Path(__file__).with_name("trees.h")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in every)).hexdigest()


def _sources() -> list[Path]:
    ours = [Path(__file__).with_name(name) for name in ("trees.c", "shap.c")]
    return [Path(row_readers.__file__).with_name("rows.c"), *ours]


def load_library(library: bytes, about: Mapping[str, Any]) -> ctypes.CDLL:
    """Load a library that `compile_library` returned; the caller must have verified its bytes.

    Raises:
        NotCompiledError: the library does not run on this machine.
    """
    if about["sources"] != _sources_sha256():
        raise NotCompiledError("it was compiled by another version of light-model")
    if about["machine"] != _machine():
        raise NotCompiledError(f"it was compiled for {about['machine']}, but this is {_machine()}")
    if missing := sorted(set(about["cpu"]) - _cpu_features()):
        raise NotCompiledError(f"this processor has no {', '.join(missing)}")
    try:
        return _open(library)
    except OSError as error:
        raise NotCompiledError(f"it cannot be loaded: {type(error).__name__}") from None


@cache
def _open(library: bytes) -> ctypes.CDLL:
    """Open a library from memory if the system can: a disk may be full, or mounted noexec.

    The file descriptor stays open: the loader identifies a library by its path, and would mistake a later
    one with the same descriptor number for this one.
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
