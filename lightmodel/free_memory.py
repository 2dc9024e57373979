"""Return memory that is not used any more to the system, where the C library is glibc.

Without it, glibc keeps what it has once got: in an arena for each thread, and below any block that is
still in use. Elsewhere (macOS, musl) there is nothing to do.
"""

import ctypes
import sys
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_THRESHOLD = 4 << 20  # bytes; smaller blocks stay for the next user: a tenth of the time


def keep_little() -> None:
    """Return large blocks as soon as they are free, from now on."""
    if mallopt := c_function("mallopt"):
        mallopt(_M_TRIM_THRESHOLD, _THRESHOLD)
        mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)


def release() -> None:
    """Return what Arrow and the C library keep for later."""
    if arrow := sys.modules.get("pyarrow"):
        arrow.default_memory_pool().release_unused()
    if trim := c_function("malloc_trim"):
        trim(0)


def c_function(name: str) -> Any:  # noqa: ANN401 — ctypes has no better type
    """Return a function of the C library, or None if it has no such function."""
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # Windows
        return None
