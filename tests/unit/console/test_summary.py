"""What is shown of an answer, against plain Python on the same rows."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from lightmodel.console.files.summary import FIRST_ROWS, summarise, without_formulas


def written(folder: Path, rows: Sequence[Sequence[object]]) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path = folder / "answer.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def test_a_binary_answer_is_counted_whatever_its_size(tmp_path: Path) -> None:
    rows = [[f"id {n}", "yes" if n % 3 == 0 else "no", (n % 100) / 100] for n in range(60_000)]
    summary = summarise(written(tmp_path, [["id", "prediction", "probability"], *rows]), 1)
    assert summary.rows == 60_000
    assert dict(summary.counts) == Counter(str(row[1]) for row in rows)
    assert summary.counts[0][0] == "no"
    assert (summary.smallest, summary.largest) == (0.0, 0.99)
    assert summary.mean == pytest.approx(0.495)
    assert len(summary.first) == FIRST_ROWS
    assert summary.first[1] == ("id 1", "no", "0.01")
    assert (summary.histogram.low, summary.histogram.high) == (0, 1)
    assert sum(summary.histogram.amounts) == 60_000
    assert not summary.has_formulas


def test_of_several_classes_the_largest_probability_counts(tmp_path: Path) -> None:
    header = ["prediction", "probability_a", "probability_b", "probability_c"]
    summary = summarise(written(tmp_path, [header, ["a", 0.5, 0.3, 0.2], ["c", 0, 0.1, 0.9]]), 3)
    assert (summary.smallest, summary.largest) == (0.5, 0.9)
    assert dict(summary.counts) == {"a": 1, "c": 1}


def test_a_regression_has_a_spread_and_no_counts(tmp_path: Path) -> None:
    summary = summarise(written(tmp_path, [["prediction"], [-3.5], [10], [4]]), 0)
    assert summary.counts == ()
    assert (summary.smallest, summary.mean, summary.largest) == (-3.5, 3.5, 10)
    assert (summary.histogram.low, summary.histogram.high) == (-3.5, 10)


def test_equal_predictions_have_a_histogram_too(tmp_path: Path) -> None:
    summary = summarise(written(tmp_path, [["prediction"], [2], [2]]), 0)
    assert (summary.histogram.low, summary.histogram.high) == (1.5, 2.5)
    assert sum(summary.histogram.amounts) == 2


def test_many_labels_are_the_most_frequent_ones_and_the_others(tmp_path: Path) -> None:
    rows: list[list[object]] = [[f"l{n}", 1.0] for n in range(30) for _ in range(n + 1)]
    summary = summarise(written(tmp_path, [["prediction", "probability_l0"], *rows]), 1)
    assert summary.counts[0] == ("l29", 30)
    assert summary.counts[-1][0] == "22 others"
    assert sum(amount for _, amount in summary.counts) == summary.rows


def test_odd_names_and_ids_are_read_as_they_are(tmp_path: Path) -> None:
    header: list[object] = ['an\nid, "so called"', "prediction", "probability"]
    path = written(tmp_path, [header, ["a\nb", "no", 0.25], ["", "yes", 0.75], ["ü", "yes", 1]])
    summary = summarise(path, 1)
    assert summary.header == tuple(header)
    assert [row[0] for row in summary.first] == ["a\nb", "", "ü"]


@pytest.mark.parametrize(("cell", "is_formula"), [
    ("=1+1", True), ("@x", True), ("-1", False), ("+4.5e3", False), ("-cmd", True), ("a=b", False),
])  # fmt: skip
def test_formulas_are_found_and_disarmed(tmp_path: Path, cell: str, is_formula: bool) -> None:
    path = written(tmp_path, [["id", "prediction", "probability"], [cell, "no", 0.5]])
    assert summarise(path, 1).has_formulas is is_formula
    text = b"".join(without_formulas(path)).decode()
    (_, row) = csv.reader(io.StringIO(text))
    assert row == [f"'{cell}" if is_formula else cell, "no", "0.5"]


def test_an_answer_without_rows_is_empty(tmp_path: Path) -> None:
    summary = summarise(written(tmp_path, [["prediction", "probability"]]), 1)
    assert summary.rows == 0
    assert summary.first == ()
