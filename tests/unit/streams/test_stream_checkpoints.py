"""Positions and keys are kept together, and no longer than the window."""

import sqlite3
from pathlib import Path

import pytest

from lightmodel.errors import ArtefactCorrupt, ConfigError
from lightmodel.streams.checkpoints import Checkpoints


def test_what_was_stored_is_there_after_a_restart() -> None:
    first = Checkpoints(Path("a.sqlite"), 10)
    first.advance({"s0": "5", "s1": "7"}, ["a", "b"])
    first.advance({"s1": "9"}, ["b", "c"])
    first.close()
    again = Checkpoints(Path("a.sqlite"), 10)
    assert again.positions() == {"s0": "5", "s1": "9"}
    assert again.answered(["a", "c", "d"]) == {"a", "c"}


def test_the_oldest_keys_are_forgotten() -> None:
    checkpoints = Checkpoints(None, 1_000)
    for start in range(0, 3_000, 500):
        checkpoints.advance({}, [f"k{number}" for number in range(start, start + 500)])
    known = checkpoints.answered([f"k{number}" for number in range(3_000)])
    assert known == {f"k{number}" for number in range(2_000, 3_000)}


def test_a_damaged_file_and_one_that_cannot_be_opened_are_errors() -> None:
    Path("bad.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(ArtefactCorrupt, match="are damaged"):
        Checkpoints(Path("bad.sqlite"), 10)
    with pytest.raises(ConfigError, match="cannot be used"):
        Checkpoints(Path("missing/a.sqlite"), 10)


def test_a_failed_write_stores_nothing() -> None:
    checkpoints = Checkpoints(Path("a.sqlite"), 10)
    checkpoints.advance({"s0": "1"}, [])
    other = sqlite3.connect("a.sqlite", timeout=0)
    other.execute("DROP TABLE answered")
    with pytest.raises(ConfigError):
        checkpoints.advance({"s0": "2"}, ["a"])
    assert checkpoints.positions() == {"s0": "1"}
