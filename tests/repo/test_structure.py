"""The package does not grow beyond a fixed number of lines, and each test can be collected."""

from benchmarks.delivery import ROOT
from benchmarks.structure import lines, modules

MOST_LINES = 61_850
MOST_MODULES = 450


def test_the_package_is_no_bigger_than_it_was() -> None:
    assert lines() <= MOST_LINES
    assert modules() <= MOST_MODULES


def test_no_two_test_files_have_one_name() -> None:
    """Pytest imports them by their names alone: collecting the second one would fail."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
