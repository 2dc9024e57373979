"""How many requests a caller may send: one token bucket for each, shared by all workers."""

import fcntl
import hashlib
import mmap
import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_BUCKET = struct.Struct("=8sdd")  # hash of the caller, tokens, and when that many were left
_BUCKETS = 1 << 12
_PROBED = 8  # buckets in which a caller may be; the one that is full for longest makes room
_FILE = "rate_limit"


class RateLimiter:
    """Token buckets of `rate` requests per second, also as a burst, in a file of fixed size.

    Workers that name the same folder share the buckets; without a folder they are this process's own.
    """

    def __init__(
        self, rate: float, folder: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate = rate
        self._clock = clock
        self._thread_lock = threading.Lock()
        size = _BUCKET.size * _BUCKETS
        if folder:
            # The lock of a file belongs to who opened it: each worker opens it after the fork.
            self._file = os.open(Path(folder) / _FILE, os.O_RDWR | os.O_CREAT, 0o600)
        else:
            with tempfile.TemporaryFile() as file:
                self._file = os.dup(file.fileno())
        os.ftruncate(self._file, size)
        self._buckets = mmap.mmap(self._file, size)

    def acquire(self, caller: str) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        key = hashlib.blake2b(caller.encode(), digest_size=8).digest()
        with self._locked():
            now, most = self._clock(), max(1.0, self.rate)
            at, tokens, since = self._find(key, now, most)
            tokens = min(most, tokens + (now - since) * self.rate)
            _BUCKET.pack_into(self._buckets, at, key, tokens - 1 if tokens >= 1 else tokens, now)
        return 0.0 if tokens >= 1 else (1 - tokens) / self.rate

    def _find(self, key: bytes, now: float, most: float) -> tuple[int, float, float]:
        """Return where a caller's bucket is, its tokens, and since when it has them."""
        first = int.from_bytes(key)
        oldest, oldest_since = 0, float("inf")
        for step in range(_PROBED):
            at = (first + step) % _BUCKETS * _BUCKET.size
            owner, tokens, since = _BUCKET.unpack_from(self._buckets, at)
            if owner == key:
                return at, tokens, since
            if since < oldest_since:
                oldest, oldest_since = at, since
        return oldest, most, now

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._thread_lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def __del__(self) -> None:
        """Close the file."""
        self._buckets.close()
        os.close(self._file)
