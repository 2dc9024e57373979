"""Columns that identify the rows are found, and are no features."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest

from lightmodel.contract.columns import ColumnType, Role
from lightmodel.contract.hints import ColumnHints
from lightmodel.contract.inference import Inferred, infer
from lightmodel.errors import DataError

Columns = Mapping[str, Sequence[object]]
ROWS = 60
SHUFFLED = random.Random(0).sample(range(1_000, 9_000), ROWS)


def inferred(columns: Columns, **settings: Any) -> Inferred:
    base = {
        "weight": [float(row % 7) for row in range(ROWS)],
        "target": [row % 2 for row in range(ROWS)],
    }
    return infer(pa.table({**columns, **base}), ColumnHints("target", **settings))


def roles(found: Inferred) -> dict[str, Role]:
    return {column.name: column.role for column in found.contract.columns}


@pytest.mark.parametrize(
    "name",
    ["id", "ID_code", "customer_id", "customerId", "customerID", "CustomerId", "row_id", "uuid"],
)
def test_a_column_that_is_called_an_id_is_the_id(name: str) -> None:
    assert roles(inferred({name: SHUFFLED}))[name] is Role.ID


@pytest.mark.parametrize("name", ["order_no", "Order Number", "invoiceNo", "country code", "key"])
def test_a_number_or_code_is_the_id_if_no_value_repeats(name: str) -> None:
    assert roles(inferred({name: SHUFFLED}))[name] is Role.ID
    repeated = [*SHUFFLED[1:], SHUFFLED[1]]
    assert roles(inferred({name: repeated}))[name] is Role.FEATURE


@pytest.mark.parametrize(
    "values",
    [
        range(4_000, 4_000 + ROWS),
        [500 + row + row // 5 for row in range(ROWS)],
        [2**53 + 7_919 * row for row in range(ROWS)],
        [f"{row:04d}-{'ABCDEF'[row % 6]}" for row in SHUFFLED],
        [f"{row:012d}" for row in SHUFFLED],
    ],
)
def test_values_that_only_identify_rows_are_the_id_whatever_the_name(
    values: Sequence[object],
) -> None:
    assert roles(inferred({"lot": values}))["lot"] is Role.ID


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("paid", SHUFFLED),
        ("store_id", [1, 2] * (ROWS // 2)),
        ("lot", sorted(SHUFFLED)),  # as far apart as measured values may be
        ("lot", [0, *range(ROWS - 1)]),
        ("lot", range(-30, ROWS - 30)),
        ("lot", [None, *range(1, ROWS)]),
        ("lot", [row + 0.5 for row in range(ROWS)]),
        ("lot", [f"lot {row}" for row in range(ROWS)]),
        ("lot", [f"{'abcdefghij'[row // 10]}{'abcdefghij'[row % 10]}" for row in range(ROWS)]),
        ("lot", [f"${row},000.00" for row in SHUFFLED]),
        ("year", range(1960, 1960 + ROWS)),
        ("elapsed_days", range(ROWS)),
        ("time", range(ROWS)),
    ],
)
def test_a_quantity_a_text_or_a_time_is_a_feature(name: str, values: Sequence[object]) -> None:
    assert roles(inferred({name: values}))[name] is Role.FEATURE


@pytest.mark.parametrize("name", ["subject", "Reference", "lot"])
def test_sentences_are_free_text_whatever_the_name(name: str) -> None:
    found = inferred({name: [f"about order {row} again" for row in SHUFFLED]})
    column = found.contract.columns[0]
    assert (column.role, column.type) == (Role.FEATURE, ColumnType.TEXT)
    assert not found.warnings


def test_a_column_of_data_text_is_no_identifier() -> None:
    codes = [f"{row:04d}-x" for row in SHUFFLED]
    found = inferred({"uuid": codes, "serial": codes}, text=("uuid", "serial"))
    assert [one.type for one in found.contract.columns[:2]] == [ColumnType.TEXT] * 2
    assert found.contract.id is None
    assert not found.warnings


def test_a_few_rows_may_differ_by_chance() -> None:
    few = pa.table({"lot": range(20), "weight": [1.5, 2.5] * 10, "target": [0, 1] * 10})
    assert infer(few, ColumnHints("target")).contract.feature_names == ("lot", "weight")


@pytest.mark.parametrize("name", ["Unnamed: 0", "Unnamed: 0.1", "rownames", "row.names", "lot"])
@pytest.mark.parametrize("first", [0, 1])
def test_a_row_number_is_ignored_and_never_is_the_id(name: str, first: int) -> None:
    found = roles(inferred({name: range(first, first + ROWS)}))
    assert found[name] is Role.IGNORED
    found = roles(inferred({name: range(first, first + ROWS), "customerID": SHUFFLED}))
    assert (found[name], found["customerID"]) == (Role.IGNORED, Role.ID)


def test_beside_the_id_others_are_ignored_and_one_line_says_so() -> None:
    orders = sorted(SHUFFLED)
    found = inferred({"Unnamed: 0": range(ROWS), "customerID": SHUFFLED, "order_no": orders})
    assert found.contract.feature_names == ("weight",)
    assert found.contract.id is not None
    assert found.contract.id.name == "customerID"
    (warning,) = found.warnings
    assert "columns 'customerID', 'Unnamed: 0', 'order_no' identify the rows" in warning
    assert "'customerID' comes back in each answer" in warning
    assert 'set data.keep = ["customerID", "Unnamed: 0", "order_no"]' in warning


def test_a_column_that_the_settings_name_is_what_they_say() -> None:
    columns = {"customerID": SHUFFLED, "order_no": sorted(SHUFFLED), "id": SHUFFLED}
    found = inferred(columns, keep=("order_no", "customerID"))
    assert found.contract.feature_names == ("customerID", "order_no", "weight")
    assert roles(found)["id"] is Role.ID
    assert not found.warnings  # its name says that it is the id
    found = inferred(columns, id="order_no")
    assert roles(found)["order_no"] is Role.ID
    assert roles(found)["customerID"] is Role.IGNORED
    assert not inferred(columns, id="").warnings
    assert inferred(columns, id="").contract.id is None


def test_the_only_column_that_there_is_stays_a_feature() -> None:
    rows = pa.table({"lot": range(ROWS), "target": [row % 2 for row in range(ROWS)]})
    assert infer(rows, ColumnHints("target")).contract.feature_names == ("lot",)


def test_a_column_named_like_a_value_of_the_answer_is_ignored_rather_than_refused() -> None:
    found = inferred({"prediction": [f"u{row}" for row in range(ROWS)]})
    assert roles(found)["prediction"] is Role.IGNORED


def test_an_absent_column_to_keep_is_blamed_on_its_setting() -> None:
    with pytest.raises(DataError, match=r"no column 'lots', which data\.keep names") as caught:
        inferred({"lot": SHUFFLED}, keep=("lots",))
    assert "is it 'lot'?" in caught.value.hint


def test_a_feature_of_the_approved_model_stays_one_with_a_warning() -> None:
    found = inferred({"customerID": SHUFFLED}, accepted=frozenset({"customerID"}))
    assert roles(found)["customerID"] is Role.FEATURE
    (warning,) = found.warnings
    assert 'to leave it out, set data.ignore = ["customerID"]' in warning
