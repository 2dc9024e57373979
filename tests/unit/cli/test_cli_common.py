"""Tables and numbers as they are printed to a file or a pipe."""

import math

import pytest

from lightmodel.cli.common import DASH, metric_text, new_table, print_table


def test_numbers_are_right_aligned_and_names_left(capsys: pytest.CaptureFixture[str]) -> None:
    table = new_table("name", "rows", left={"name"})
    table.add_row("a", "1")
    table.add_row("longer", "1,000")
    print_table(table)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["name     rows", "a           1", "longer  1,000"]


def test_long_text_is_not_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    table = new_table("text")
    table.add_row("x" * 400)
    print_table(table)
    assert capsys.readouterr().out.count("x") - 1 == 400


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.25, "0.2500"), (None, DASH), (math.nan, DASH), (-1.0, "-1.0000")],
)
def test_a_metric_has_four_decimals_or_is_a_dash(value: float | None, expected: str) -> None:
    assert metric_text(value) == expected
