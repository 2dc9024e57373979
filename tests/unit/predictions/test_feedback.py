"""Late labels, as people send them."""

import contextlib

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


def read(data: bytes, own: Contract, dialect: Dialect | None = None) -> LateLabels:
    """Read labels as the service does."""
    rules = RowRules(label_contract(own))
    reader = BodyReader(rules, read_rows, dialect or Dialect(), LIMITS)
    return late_labels(reader.read(iter([data])), own)


def cell(value: str, own: Contract, decimal: str = ".") -> str:
    """Read one label from a CSV."""
    dialect = Dialect(delimiter=";", decimal=decimal)
    (label,) = read(f"key;y\na;{value}\n".encode(), own, dialect).labels.values()
    return label


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_csv_keeps_ids_as_they_are_written_whatever_the_delimiter(mark: str, end: str) -> None:
    rows = [["y", "more", "key"], ["yes", "1", "007"], ["no", "", "7"], ["yes", "", " a "]]
    data = end.join(mark.join(row) for row in rows).encode("utf-8-sig")
    assert read(data, YES_NO).labels == {"007": "yes", "7": "no", "a": "yes"}


def test_records_and_csv_say_the_same() -> None:
    records = b'[{"key": 7, "y": "yes"}, {"key": "x", "y": "no", "z": 1}]'
    assert read(records, YES_NO).labels == {"7": "yes", "x": "no"}
    assert read(b'{"key": "x", "y": "no"}', YES_NO).labels == {"x": "no"}


def test_the_last_label_of_an_id_holds() -> None:
    assert read(b"key,y\na,no\na,yes\n", YES_NO).labels == {"a": "yes"}


def test_rows_whose_label_is_empty_are_counted_and_left_out() -> None:
    found = read(b"key,y\na,yes\nb,\n,\nc,NA\n", YES_NO, Dialect(na_values=("", "NA")))
    assert found == LateLabels({"a": "yes"}, 4, 3)


@pytest.mark.parametrize(
    ("labels", "value", "meant"),
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
def test_a_label_is_known_however_it_is_written(
    labels: tuple[Label, ...], value: str, meant: str
) -> None:
    assert cell(value, classes(*labels)) == meant


@pytest.mark.parametrize(
    ("labels", "value", "meant"),
    [((0, 1), "1.0", "1"), ((False, True), "true", "true"), (("1", "2", "3"), "2", "2")],
)
def test_a_label_in_json_is_known_whatever_its_type(
    labels: tuple[Label, ...], value: str, meant: str
) -> None:
    found = read(f'{{"key": "a", "y": {value}}}'.encode(), classes(*labels))
    assert found.labels == {"a": meant}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_every_bit(number: float) -> None:
    assert float(cell(label_name(number), contract(REGRESSION))) == number


def test_the_decimal_mark_is_that_of_the_training_table() -> None:
    own = contract(REGRESSION)
    assert cell("1,5", own, decimal=",") == "1.5"
    with pytest.raises(ContractViolation, match="not a number"):
        cell("1,5", own, decimal=".")


@pytest.mark.parametrize("value", ["maybe", "inf", "[]", "{}", "True"])
@pytest.mark.parametrize("own", [classes(0, 1), contract(REGRESSION)], ids=["classes", "number"])
def test_what_is_no_label_is_named_by_its_rows_and_never_quoted(own: Contract, value: str) -> None:
    with pytest.raises(ContractViolation) as caught:
        read(f"key,y\na,1\nb,{value}\nc,0\n".encode(), own)
    (violation,) = caught.value.violations
    assert (violation.column, violation.rows, violation.total) == ("y", (2,), 1)
    assert "maybe" not in caught.value.message


def test_a_number_that_is_no_label_and_a_category_that_is_none_are_violations() -> None:
    for own, value in ((classes(0, 1), "2"), (YES_NO, "perhaps")):
        with pytest.raises(ContractViolation, match="not a label of the model"):
            cell(value, own)


def test_a_missing_id_is_a_violation() -> None:
    with pytest.raises(ContractViolation, match="key"):
        read(b"key,y\na,no\n,no\n", YES_NO)


@pytest.mark.parametrize(
    ("data", "said"),
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
def test_what_cannot_be_used_is_refused_with_the_reason(data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(data, YES_NO)


def test_without_an_id_column_the_error_says_what_to_do() -> None:
    with pytest.raises(DataError, match="no id column") as caught:
        label_contract(contract(REGRESSION, with_id=False))
    assert "data.id" in caught.value.hint


@given(st.binary(max_size=200))
def test_whatever_the_bytes_only_our_own_errors_come(data: bytes) -> None:
    with contextlib.suppress(LightModelError):
        assert set(read(data, YES_NO).labels.values()) <= {"yes", "no"}


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.sampled_from(["key,y", "key\ty"]))
def test_whatever_the_cells_only_our_own_errors_come(text: str, header: str) -> None:
    with contextlib.suppress(LightModelError):
        found = read(f"{header}\n{text}".encode(), YES_NO)
        assert set(found.labels.values()) <= {"yes", "no"}
