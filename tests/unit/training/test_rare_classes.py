"""Classes of a single row stop preprocessing, or are dropped or merged with a count."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from lightmodel.config import DataSection, SplitSection, TrainSection
from lightmodel.errors import ContractViolation, DataError
from lightmodel.tables.reading import read_source
from lightmodel.training.preprocess import PreprocessingResult, PreprocessOptions, preprocess

FREQUENT = [*["low", "high"] * 99]


def preprocessed(target: Sequence[object], rare_classes: str) -> PreprocessingResult:
    data = DataSection.model_validate({"rare_classes": rare_classes})
    table = pa.table({"x": [float(row) for row in range(len(target))], "target": target})
    return preprocess(table, PreprocessOptions(data, SplitSection(), TrainSection()), None)


def counted(result: PreprocessingResult) -> Counter[object]:
    return Counter([*result.train["target"].to_pylist(), *result.test["target"].to_pylist()])


def test_by_default_they_stop_the_chain_and_the_message_names_the_setting() -> None:
    with pytest.raises(ContractViolation, match=r"data\.rare_classes"):
        preprocessed([*FREQUENT, "once"], "stop")


@pytest.mark.parametrize("target", [[*FREQUENT, "once"], [*FREQUENT, "once", "twice"]])
def test_dropped_ones_leave_the_table_and_the_labels(target: list[str]) -> None:
    found = preprocessed(target, "drop")
    assert counted(found) == {"low": 99, "high": 99}
    assert found.contract.task.labels == ("high", "low")
    (warning,) = (text for text in found.warnings if "dropped" in text)
    assert f"'target': dropped {len(target) - len(FREQUENT)} row" in warning
    assert warning.endswith("only one of its class")


def test_merged_texts_are_the_class_other() -> None:
    found = preprocessed([*FREQUENT, "once", "another"], "merge")
    assert counted(found) == {"low": 99, "high": 99, "other": 2}
    assert any("merged 2 rows" in text and "'other'" in text for text in found.warnings)


def test_a_text_joins_a_class_other_that_the_table_has() -> None:
    found = preprocessed([*FREQUENT, "once", *["other"] * 20], "merge")
    assert counted(found)["other"] == 21


def test_a_single_text_that_finds_no_other_is_dropped() -> None:
    found = preprocessed([*FREQUENT, "once"], "merge")
    assert counted(found) == {"low": 99, "high": 99}
    assert any("dropped 1 row, each the only one" in text for text in found.warnings)


def test_a_merged_number_becomes_the_nearest_label() -> None:
    found = preprocessed([*[3, 5, 7] * 60, 9, 4, 1], "merge")
    assert counted(found) == {3: 62, 5: 60, 7: 61}
    assert any("merged 3 rows" in text and "nearest label" in text for text in found.warnings)


@pytest.mark.parametrize("rule", ["drop", "merge"])
def test_a_table_without_them_is_left_alone(rule: str) -> None:
    found = preprocessed(FREQUENT, rule)
    assert counted(found) == {"low": 99, "high": 99}
    assert not any("dropped" in text or "merged" in text for text in found.warnings)


@pytest.mark.parametrize("rule", ["drop", "merge"])
def test_numbers_to_estimate_have_no_classes(rule: str) -> None:
    target = [row / 7 for row in range(200)]
    assert sum(counted(preprocessed(target, rule)).values()) == 200


@pytest.mark.parametrize("rule", ["drop", "merge"])
def test_one_class_that_is_left_stops_the_chain(rule: str) -> None:
    with pytest.raises(ContractViolation, match="same value in every row"):
        preprocessed([*["yes"] * 50, "no"], rule)


def test_a_file_of_three_rows_with_nameless_ends_and_a_class_of_one_row(tmp_path: Path) -> None:
    header, *lines = "a;c;y;;\n0,1;x;0;;\n0,2;y;0;;\n0,3;x;1;;\n".splitlines(keepends=True)
    (tmp_path / "rows.csv").write_text(header + "".join(lines), encoding="utf-8")
    (tmp_path / "more.csv").write_text(header + "".join([*lines, *lines[:2]] * 9), encoding="utf-8")

    def result(file: str, rare_classes: str) -> PreprocessingResult:
        data = DataSection.model_validate({"rare_classes": rare_classes, "target": "y"})
        read = read_source([tmp_path / file], data)
        given = PreprocessOptions(data, SplitSection(), TrainSection(task="binary"))
        return preprocess(read.table, given, None, read.dialect)

    with pytest.raises(ContractViolation, match=r"column 'y'.*data\.rare_classes"):
        result("rows.csv", "stop")
    for rule in ("drop", "merge"):  # leave one class
        with pytest.raises((ContractViolation, DataError), match=r"'y'.*(same value|1 class)"):
            result("rows.csv", rule)
    found = result("more.csv", "stop")
    assert found.contract.feature_names == ("a", "c")
    assert found.train["a"].type == pa.float64()
