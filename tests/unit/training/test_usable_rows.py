"""Rows without any value are left out, and rows without a target stop preprocessing or are dropped."""

import pyarrow as pa
import pytest

from lightmodel.config import DataSection, SplitSection, TrainSection
from lightmodel.errors import ContractViolation
from lightmodel.training.preprocess import PreprocessingResult, PreprocessOptions, preprocess

ROWS = 200


def preprocessed(table: pa.Table, **data: str) -> PreprocessingResult:
    section = DataSection.model_validate(data)
    return preprocess(table, PreprocessOptions(section, SplitSection(), TrainSection()), None)


def with_rows(*rows: dict[str, object]) -> pa.Table:
    """Return a table of complete rows, with some rows after the tenth."""
    complete = [
        {"age": float(row % 60), "town": "ab"[row % 2], "target": row % 3 % 2}
        for row in range(ROWS)
    ]
    return pa.Table.from_pylist([*complete[:10], *rows, *complete[10:]], pa.schema(SCHEMA))


SCHEMA = [("age", pa.float64()), ("town", pa.string()), ("target", pa.int64())]
BLANK: dict[str, object] = {}
UNLABELLED: dict[str, object] = {"age": 30.0, "town": "a"}


def test_rows_without_any_value_are_left_out_and_named() -> None:
    result = preprocessed(with_rows(BLANK, {"age": float("nan")}))
    assert result.train.num_rows + result.test.num_rows == ROWS
    assert not any(column.missing for column in result.contract.columns)
    assert "2 rows have no value at all, left out: 11, 12 below the header" in " ".join(
        result.warnings
    )


def test_rows_without_a_target_stop_the_chain_and_the_message_names_the_setting() -> None:
    with pytest.raises(ContractViolation, match=r"data\.unlabelled to \"drop\"") as caught:
        preprocessed(with_rows(UNLABELLED, UNLABELLED))
    (violation,) = caught.value.violations
    assert (violation.rows, violation.total) == ((11, 12), 2)


def test_rows_without_a_target_are_dropped_where_that_is_asked_for() -> None:
    result = preprocessed(with_rows(UNLABELLED, BLANK, UNLABELLED), unlabelled="drop")
    assert result.train.num_rows + result.test.num_rows == ROWS
    assert result.train["target"].null_count == result.test["target"].null_count == 0
    warnings = " ".join(result.warnings)
    assert "1 row has no value at all, left out: 12 below the header" in warnings
    assert (
        "2 rows have no 'target', left out: 11, 12 below the header (data.unlabelled)" in warnings
    )


def test_a_table_without_any_target_stops_whatever_is_asked_for() -> None:
    table = pa.table({"age": [1.0, 2.0], "target": pa.nulls(2, pa.int64())})
    with pytest.raises(ContractViolation, match="has no values"):
        preprocessed(table, unlabelled="drop")
