"""Compiled scoring and reading: C sources, and the way to and from them."""

import ctypes
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from lightmodel.learners.compiled import build
from lightmodel.learners.compiled.trees import CompiledTrees, packed, unpacked
from lightmodel.tables.row_readers import CompiledRows

LIBRARY, TABLES, ABOUT = "compiled.so", "compiled.npy", "compiled.json"


def compiled_files(payload: dict[str, Any]) -> dict[str, bytes]:
    """Compile a LightGBM model; gives files by name.

    Raises:
        NotCompiledError: there is no C compiler, or the model is not of a kind that we compile.
    """
    tables, built = packed(payload["texts"]), build.build()
    about = {name: value for name, value in asdict(built).items() if name != "library"}
    text = json.dumps(about, indent=1, sort_keys=True).encode() + b"\n"
    return {LIBRARY: built.library, TABLES: tables, ABOUT: text}


def open_compiled(read: Callable[[str], bytes]) -> tuple[CompiledTrees, CompiledRows]:
    """Open what scores, and what reads rows.

    Args:
        read: gives the checked bytes of a file.

    Raises:
        NotCompiledError: it does not run here.
    """
    about = json.loads(read(ABOUT))
    built = build.Built(read(LIBRARY), about["machine"], tuple(about["cpu"]), about["sources"])
    library: ctypes.CDLL = build.load(built)
    return CompiledTrees(library, unpacked(read(TABLES))), CompiledRows(library)
