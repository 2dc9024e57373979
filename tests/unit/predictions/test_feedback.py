"""Tables of labels in the formats that users send."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.columns import Column, ColumnType, Contract, Dialect, Role
from lightmodel.contract.task import Label, Task, TaskKind, label_name
from lightmodel.errors import ContractViolation, DataError, LightModelError
from lightmodel.predictions.feedback import LateLabels, label_contract, late_labels
from lightmodel.tables.arrow_rows import read_rows
from lightmodel.tables.bodies import BodyReader, Limits
from lightmodel.tables.row_rules import RowRules

REGRESSION = Task(TaskKind.REGRESSION)
LIMITS = Limits(1 << 20, 1 << 20, 10)


def contract(task: Task, *, with_id: bool = True) -> Contract:
    key = Column("key", Role.ID, ColumnType.CATEGORY, missing=False)
    feature = Column("x", Role.FEATURE, ColumnType.NUMBER, missing=False)
    target = Column("y", Role.TARGET, ColumnType.CATEGORY, missing=False)
    columns = (key, feature, target) if with_id else (feature, target)
    return Contract(columns, task)


def classes(*labels: Label) -> Contract:
    kind = TaskKind.BINARY if len(labels) == 2 else TaskKind.MULTICLASS
    return contract(Task(kind, labels))


YES_NO = classes("no", "yes")


def read(data: bytes, model_contract: Contract, dialect: Dialect | None = None) -> LateLabels:
    """Read labels as the service does."""
    rules = RowRules(label_contract(model_contract))
    reader = BodyReader(rules, read_rows, dialect or Dialect(), LIMITS)
    return late_labels(reader.read(iter([data])), model_contract)


def cell(value: str, model_contract: Contract, decimal: str = ".") -> str:
    """Read one label from a CSV."""
    dialect = Dialect(delimiter=";", decimal=decimal)
    (label,) = read(f"key;y\na;{value}\n".encode(), model_contract, dialect).labels.values()
    return label


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ids_of_a_csv_are_kept_as_written_for_every_delimiter(mark: str, end: str) -> None:
    rows = [["y", "more", "key"], ["yes", "1", "007"], ["no", "", "7"], ["yes", "", " a "]]
    data = end.join(mark.join(row) for row in rows).encode("utf-8-sig")
    assert read(data, YES_NO).labels == {"007": "yes", "7": "no", "a": "yes"}


def test_json_records_are_read_like_a_csv() -> None:
    records = b'[{"key": 7, "y": "yes"}, {"key": "x", "y": "no", "z": 1}]'
    assert read(records, YES_NO).labels == {"7": "yes", "x": "no"}
    assert read(b'{"key": "x", "y": "no"}', YES_NO).labels == {"x": "no"}


def test_labels_may_be_amounts_as_the_target_was() -> None:
    columns = [
        replace(one, format="amount $#,##0.##") if one.name == "y" else one
        for one in contract(REGRESSION).columns
    ]
    priced = replace(contract(REGRESSION), columns=tuple(columns))
    for data in (
        b'key,y\na,"$1,100.50"\n',
        b"key,y\na,1100.5\n",
        b'{"key": "a", "y": "$1,100.50"}',
    ):
        assert read(data, priced).labels == {"a": "1100.5"}
    with pytest.raises(ContractViolation):
        read("key,y\na,€5\n".encode(), priced)


def test_the_last_label_of_an_id_wins() -> None:
    assert read(b"key,y\na,no\na,yes\n", YES_NO).labels == {"a": "yes"}


def test_rows_whose_label_is_empty_are_counted_and_left_out() -> None:
    late = read(b"key,y\na,yes\nb,\n,\nc,NA\n", YES_NO, Dialect(na_values=("", "NA")))
    assert late == LateLabels({"a": "yes"}, 4, 3)


@pytest.mark.parametrize(
    ("labels", "value", "expected"),
    [
        ((0, 1), "1", "1"),
        ((0, 1), "1.0", "1"),
        ((0, 1), " 0 ", "0"),
        ((0.5, 1.5), "1.50", "1.5"),
        ((False, True), "True", "true"),
        ((False, True), "0", "false"),
        (("1", "2", "3"), "2.0", "2"),
        (("Zu\u0308rich", "Bern"), "Z\u00fcrich", "Zu\u0308rich"),
    ],
)
def test_a_label_is_recognised_in_every_spelling(
    labels: tuple[Label, ...], value: str, expected: str
) -> None:
    assert cell(value, classes(*labels)) == expected


@pytest.mark.parametrize(
    ("labels", "value", "expected"),
    [((0, 1), "1.0", "1"), ((False, True), "true", "true"), (("1", "2", "3"), "2", "2")],
)
def test_a_label_in_json_is_recognised_in_every_type(
    labels: tuple[Label, ...], value: str, expected: str
) -> None:
    late = read(f'{{"key": "a", "y": {value}}}'.encode(), classes(*labels))
    assert late.labels == {"a": expected}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_numeric_label_is_read_exactly(number: float) -> None:
    assert float(cell(label_name(number), contract(REGRESSION))) == number


def test_the_training_tables_decimal_mark_applies() -> None:
    model_contract = contract(REGRESSION)
    assert cell("1,5", model_contract, decimal=",") == "1.5"
    with pytest.raises(ContractViolation, match="not a number"):
        cell("1,5", model_contract, decimal=".")


@pytest.mark.parametrize("value", ["maybe", "inf", "[]", "{}", "True"])
@pytest.mark.parametrize(
    "model_contract", [classes(0, 1), contract(REGRESSION)], ids=["classes", "number"]
)
def test_an_invalid_label_is_reported_by_row_number_and_never_quoted(
    model_contract: Contract, value: str
) -> None:
    with pytest.raises(ContractViolation) as caught:
        read(f"key,y\na,1\nb,{value}\nc,0\n".encode(), model_contract)
    (violation,) = caught.value.violations
    assert (violation.column, violation.rows, violation.total) == ("y", (2,), 1)
    assert "maybe" not in caught.value.message


def test_an_unknown_number_and_an_unknown_category_are_violations() -> None:
    for model_contract, value in ((classes(0, 1), "2"), (YES_NO, "perhaps")):
        with pytest.raises(ContractViolation, match="not a label of the model"):
            cell(value, model_contract)


def test_a_missing_id_is_a_violation() -> None:
    with pytest.raises(ContractViolation, match="key"):
        read(b"key,y\na,no\n,no\n", YES_NO)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"key,z\n1,2\n", "'y'"),
        (b"z,y\n1,yes\n", "'key'"),
        (b"key,y,y\n1,2,3\n", "occurs 2 times in the table"),
        (b"key,y\n", "no rows"),
        (b"key,y\n\xff,1\n", "UTF-8"),
        (b"[]", "no records"),
        (b"[1]", "not a JSON object"),
    ],
)
def test_an_unusable_table_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        read(data, YES_NO)


def test_without_an_id_column_the_error_says_what_to_do() -> None:
    with pytest.raises(DataError, match="no id column") as caught:
        label_contract(contract(REGRESSION, with_id=False))
    assert "data.id" in caught.value.hint


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_the_projects_errors(data: bytes) -> None:
    with contextlib.suppress(LightModelError):
        assert set(read(data, YES_NO).labels.values()) <= {"yes", "no"}


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.sampled_from(["key,y", "key\ty"]))
def test_arbitrary_cells_raise_only_the_projects_errors(text: str, header: str) -> None:
    with contextlib.suppress(LightModelError):
        late = read(f"{header}\n{text}".encode(), YES_NO)
        assert set(late.labels.values()) <= {"yes", "no"}
