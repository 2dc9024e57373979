"""Return memory that a big request needed to the system, where the C library is glibc.

Without it, glibc keeps what it has once got: in an arena for each thread, and below any block that is
still in use. Elsewhere (macOS, musl) these functions do nothing.
"""

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

BIG_ROWS = 10_000  # of a request after which memory is returned
_DELAYS_S = (1.0, 10.0)  # after the answer, and after its rows were logged
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of malloc.h
_THRESHOLD = 4 << 20  # bytes; smaller blocks stay for the next request: a tenth of its time

_is_wanted = threading.Event()


def configure() -> None:
    """Limit what this process keeps, and start the thread that returns memory; call it after a fork."""
    mallopt, trim = _function("mallopt"), _function("malloc_trim")
    if mallopt is None or trim is None:
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_TRIM_THRESHOLD, _THRESHOLD)
    mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)
    threading.Thread(target=_keep_returning, args=(trim,), daemon=True).start()


def release_soon() -> None:
    """Have memory returned in some seconds."""
    _is_wanted.set()


def release_after(rows: int) -> None:
    """Have memory returned soon if a request of so many rows was big."""
    if rows >= BIG_ROWS:
        release_soon()


def _keep_returning(trim: Callable[[int], int]) -> None:
    while _is_wanted.wait():
        _is_wanted.clear()
        for delay in _DELAYS_S:
            time.sleep(delay)
            if arrow := sys.modules.get("pyarrow"):
                arrow.default_memory_pool().release_unused()
            trim(0)


def _function(name: str) -> Any:  # noqa: ANN401 — ctypes has no better type
    """Return a function of the C library, or None if it has no such function."""
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # Windows
        return None
