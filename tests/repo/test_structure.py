"""The package does not grow beyond a fixed number of lines."""

from benchmarks.structure import lines, modules

MOST_LINES = 54_900
MOST_MODULES = 390


def test_the_package_is_no_bigger_than_it_was() -> None:
    assert lines() <= MOST_LINES
    assert modules() <= MOST_MODULES
