"""Memory that a big request needed is returned to the system."""

import ctypes
import platform
import subprocess
import sys
import threading

import pytest

from lightmodel.service import memory
from tests.fakes.project import ROOT
from tests.fakes.waiting import LONGEST_S

FRAGMENTED = """
import sys, time
import psutil
from lightmodel.service import memory

def resident():
    return psutil.Process().memory_info().rss >> 20

memory.configure()
blocks = [bytes(1_000) for _ in range(150_000)]
high = resident()
blocks = blocks[::500]  # what is still in use lies between what is free
kept = resident()
memory.release_after(int(sys.argv[1]))
ends = time.monotonic() + float(sys.argv[2])
while resident() > kept - 100 and time.monotonic() < ends:
    time.sleep(0.05)
print(high, kept, resident())
"""


def fragmented(rows: int, seconds: float) -> list[int]:
    """Return MB when much is in use, after nearly all was freed, and after a request of so many rows."""
    command = [sys.executable, "-c", FRAGMENTED, str(rows), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [int(number) for number in done.stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps memory")
def test_a_big_request_returns_freed_memory_and_a_small_one_does_not() -> None:
    high, kept, small = fragmented(memory.BIG_ROWS - 1, 3)
    assert high > 150
    assert small > kept - 20 > 130
    high, kept, big = fragmented(memory.BIG_ROWS, LONGEST_S)
    assert big <= kept - 100


@pytest.mark.parametrize("library", [OSError("no such library"), object()])
def test_where_the_library_has_no_such_functions_nothing_happens(
    library: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_name: object) -> object:
        if isinstance(library, OSError):
            raise library
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    before = threading.active_count()
    memory.configure()
    memory.release_after(memory.BIG_ROWS)
    assert threading.active_count() == before
