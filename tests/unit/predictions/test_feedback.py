"""Late truths, as people send them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Label, Task, TaskKind, label_name
from lightmodel.errors import ContractViolation, DataError, LightModelError
from lightmodel.predictions.feedback import TruthTable, read_csv, read_records, truths_of

REGRESSION = Task(TaskKind.REGRESSION)


def contract(task: Task, *, with_id: bool = True) -> Contract:
    key = Column("key", Role.ID, ColumnType.CATEGORY, missing=False)
    target = Column("y", Role.TARGET, ColumnType.CATEGORY, missing=False)
    return Contract((key, target) if with_id else (target,), task)


def classes(*labels: Label) -> Contract:
    kind = TaskKind.BINARY if len(labels) == 2 else TaskKind.MULTICLASS
    return contract(Task(kind, labels))


YES_NO = classes("no", "yes")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_csv_keeps_ids_as_they_are_written_whatever_the_delimiter(mark: str, end: str) -> None:
    rows = [["y", "more", "key"], ["yes", "1", "007"], ["no", "", "7"], ["yes", "", " a "]]
    data = end.join(mark.join(row) for row in rows).encode("utf-8-sig")
    found = truths_of(read_csv(data, YES_NO), YES_NO)
    assert found == {"007": "yes", "7": "no", " a ": "yes"}


def test_records_and_csv_say_the_same() -> None:
    records = read_records([{"key": 7, "y": "yes"}, {"key": "x", "y": "no", "z": 1}], YES_NO)
    assert truths_of(records, YES_NO) == {"7": "yes", "x": "no"}
    assert truths_of(read_records({"key": "x", "y": "no"}, YES_NO), YES_NO) == {"x": "no"}


def test_the_last_truth_of_an_id_holds() -> None:
    assert truths_of(TruthTable(["a", "a"], ["no", "yes"]), YES_NO) == {"a": "yes"}


@pytest.mark.parametrize(
    ("labels", "value", "meant"),
    [
        ((0, 1), "1", "1"),
        ((0, 1), 1.0, "1"),
        ((0, 1), "1.0", "1"),
        ((0, 1), " 0 ", "0"),
        ((0.5, 1.5), "1.50", "1.5"),
        ((False, True), True, "true"),
        ((False, True), "True", "true"),
        ((False, True), "0", "false"),
        (("1", "2", "3"), 2, "2"),
    ],
)
def test_a_label_is_known_however_it_is_written(
    labels: tuple[Label, ...], value: Label, meant: str
) -> None:
    own = classes(*labels)
    assert truths_of(TruthTable(["a"], [value]), own) == {"a": meant}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_every_bit(number: float) -> None:
    own = contract(REGRESSION)
    (truth,) = truths_of(TruthTable(["a"], [label_name(number)]), own).values()
    assert float(truth) == number


def test_a_decimal_comma_is_read_where_the_settings_say_so() -> None:
    own = contract(REGRESSION)
    data = b"key;y\na;1,5\n"
    assert truths_of(read_csv(data, own, ","), own) == {"a": "1.5"}
    with pytest.raises(ContractViolation, match="not a number"):
        truths_of(read_csv(data, own, "auto"), own)


@pytest.mark.parametrize(
    "value", ["maybe", "", None, float("nan"), float("inf"), [], {}, True, 10**400]
)
@pytest.mark.parametrize("own", [classes(0, 1), contract(REGRESSION)], ids=["classes", "number"])
def test_what_is_no_truth_is_named_by_its_rows_and_never_quoted(
    own: Contract, value: object
) -> None:
    with pytest.raises(ContractViolation) as caught:
        truths_of(TruthTable(["a", "b", "c"], ["1", value, "0"]), own)
    (violation,) = caught.value.violations
    assert (violation.column, violation.rows, violation.total) == ("y", (2,), 1)
    assert "maybe" not in caught.value.message


def test_a_missing_id_is_a_violation() -> None:
    with pytest.raises(ContractViolation, match="key"):
        truths_of(TruthTable(["a", None, ""], ["no", "no", "no"]), YES_NO)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "key"),
        (b"key,z\n1,2\n", "'y'"),
        (b"key,y,y\n1,2,3\n", "more than once"),
        (b"key,y\n", "no rows"),
        (b"key,y\n\xff,1\n", "UTF-8"),
        (b"key,y\n" + b"a" * 2_000_000 + b",1\n", "no CSV"),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused_with_the_reason(data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_csv(data, YES_NO)


@pytest.mark.parametrize("records", [[], 1, "x", None, [1], [{}], [{"key": 1}], {"y": 1}])
def test_json_that_holds_no_truths_is_refused(records: object) -> None:
    with pytest.raises(DataError, match="truths"):
        read_records(records, YES_NO)


def test_without_an_id_column_the_error_says_what_to_do() -> None:
    own = contract(REGRESSION, with_id=False)
    with pytest.raises(DataError, match="no id column") as caught:
        read_csv(b"key,y\n1,2\n", own)
    assert "data.id" in caught.value.hint


@given(st.binary(max_size=200))
def test_whatever_the_bytes_only_our_own_errors_come(data: bytes) -> None:
    with contextlib.suppress(LightModelError):
        truths_of(read_csv(data, YES_NO), YES_NO)


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.sampled_from(["key,y", "key\ty"]))
def test_whatever_the_cells_only_our_own_errors_come(text: str, header: str) -> None:
    with contextlib.suppress(LightModelError):
        truths_of(read_csv(f"{header}\n{text}".encode(), YES_NO), YES_NO)
