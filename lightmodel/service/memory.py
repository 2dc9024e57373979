"""Return memory that a big request needed to the system, where the C library is glibc."""

import threading
import time

from lightmodel.free_memory import c_function, keep_little, release

BIG_ROWS = 10_000  # of a request after which memory is returned
_DELAYS_S = (1.0, 10.0)  # after the answer, and after its rows were logged
_M_ARENA_MAX = -8  # of malloc.h

_is_wanted = threading.Event()


def configure() -> None:
    """Limit what this process keeps, and start the thread that returns memory; call it after a fork."""
    mallopt = c_function("mallopt")
    if mallopt is None or c_function("malloc_trim") is None:
        return
    mallopt(_M_ARENA_MAX, 1)
    keep_little()
    threading.Thread(target=_keep_returning, daemon=True).start()


def release_soon() -> None:
    """Have memory returned in some seconds."""
    _is_wanted.set()


def release_after(rows: int) -> None:
    """Have memory returned soon if a request of so many rows was big."""
    if rows >= BIG_ROWS:
        release_soon()


def _keep_returning() -> None:
    while _is_wanted.wait():
        _is_wanted.clear()
        for delay in _DELAYS_S:
            time.sleep(delay)
            release()
