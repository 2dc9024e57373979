"""The contract inferred from a table."""

import datetime
from collections.abc import Sequence

import pyarrow as pa
import pytest

from lightmodel.contract.columns import ColumnType, Contract, Role
from lightmodel.contract.hints import ColumnHints
from lightmodel.contract.inference import infer
from lightmodel.contract.task import Label, TaskKind, ordered_labels
from lightmodel.errors import DataError

ROWS = 40


def table(**columns: Sequence[object]) -> pa.Table:
    base = {"x": [float(row) for row in range(ROWS)], "target": [row % 2 for row in range(ROWS)]}
    return pa.table({**base, **columns})


def contract_of(frame: pa.Table, **hints: object) -> Contract:
    return infer(frame, ColumnHints(**{"target": "target", **hints})).contract  # type: ignore[arg-type]


def test_roles_types_ranges_and_categories_are_inferred() -> None:
    frame = table(
        id=[f"r{row}" for row in range(ROWS)],
        n=[None, *range(1, ROWS)],
        colour=["red", "blue", None, "red"] * 10,
        flag=[True, False] * 20,
        note=["a"] * ROWS,
    )
    contract = contract_of(frame, ignore=("note",))
    found = {column.name: column for column in contract.columns}
    assert contract.feature_names == ("x", "n", "colour", "flag")
    assert contract.categorical == (2,)
    assert contract.id == found["id"]
    assert found["note"].role is Role.IGNORED
    assert (found["n"].type, found["n"].missing) == (ColumnType.INTEGER, True)
    assert (found["n"].minimum, found["n"].maximum) == (1.0, ROWS - 1)
    assert found["colour"].categories == ("blue", "red")
    assert found["flag"].type is ColumnType.BOOLEAN
    assert not found["x"].missing


@pytest.mark.parametrize("name", ["prediction", "probability", "base_value", "probability_b"])
def test_an_id_named_like_a_value_of_the_answer_is_refused(name: str) -> None:
    ids = [f"r{row}" for row in range(ROWS)]
    frame = table(**{name: ids, "target": ["a", "b"] * (ROWS // 2)})
    with pytest.raises(DataError, match=f"the id column '{name}'") as caught:
        contract_of(frame, id=name)
    assert "data.id" in caught.value.hint
    assert name in contract_of(frame, id="").feature_names


def test_no_id_is_searched_when_id_is_empty() -> None:
    assert contract_of(table(id=list(range(ROWS))), id="").id is None


def test_dates_are_features_and_free_text_is_ignored_with_a_warning() -> None:
    many = 6_000
    frame = pa.table(
        {
            "target": [0, 1] * (many // 2),
            "x": list(range(many)),
            "text": [f"text-{row}" for row in range(many)],
            "day": [datetime.date(2026, 1, 1)] * many,
        }
    )
    inferred = infer(frame, ColumnHints("target"))
    assert inferred.contract.feature_names == ("x", "day")
    assert len(inferred.warnings) == 1


@pytest.mark.parametrize(
    ("distinct", "words"), [(40, "nothing can be learnt"), (25, "little can be learnt"), (20, "")]
)
def test_a_column_of_nearly_unique_texts_is_named(distinct: int, words: str) -> None:
    texts = [*(f"text {row % distinct}" for row in range(ROWS)), None]
    frame = pa.table({"target": [0, 1] * 20 + [0], "x": list(range(41)), "note": texts})
    found = [one for one in infer(frame, ColumnHints("target")).warnings if "'note'" in one]
    assert len(found) == bool(words)
    assert all(words in one and f"{distinct} distinct texts in 40 cells" in one for one in found)


@pytest.mark.parametrize(
    ("values", "kind", "labels"),
    [
        ([0, 1], TaskKind.BINARY, (0, 1)),
        (["no", "yes"], TaskKind.BINARY, ("no", "yes")),
        (["Yes", "No"], TaskKind.BINARY, ("No", "Yes")),
        ([True, False], TaskKind.BINARY, (False, True)),
        ([1, -1], TaskKind.BINARY, (-1, 1)),
        ([0.0, 1.0], TaskKind.BINARY, (0, 1)),
        (["y", "z"], TaskKind.BINARY, ("z", "y")),
        ([3, 4, 5, 9], TaskKind.MULTICLASS, (3, 4, 5, 9)),
        (["a", "b", "c", "d"], TaskKind.MULTICLASS, ("a", "b", "c", "d")),
        ([0.5, 1.5, 2.5, 4.0], TaskKind.REGRESSION, ()),
    ],
)
def test_the_task_is_inferred(
    values: list[object], kind: TaskKind, labels: tuple[Label, ...]
) -> None:
    frame = table(target=values * (ROWS // len(values)))
    task = contract_of(frame).task
    assert (task.kind, task.labels) == (kind, labels)
    assert [type(label) for label in task.labels] == [type(label) for label in labels]


def test_many_different_integers_are_a_quantity() -> None:
    assert contract_of(table(target=list(range(ROWS)))).task.kind is TaskKind.REGRESSION


def test_the_given_positive_label_is_put_second() -> None:
    assert ordered_labels(["good", "bad"], "bad") == ("good", "bad")
    assert ordered_labels(["good", "bad"], "good") == ("bad", "good")
    frame = table(target=["good", "bad"] * 20)
    with pytest.raises(DataError, match="no row has the positive label 'ugly'"):
        contract_of(frame, positive="ugly")


@pytest.mark.parametrize(
    ("labels", "positive", "warned"),
    [
        (["ja", "nein"], "auto", ["the positive class is 'nein'", 'set train.positive = "ja"']),
        (["pos", "true"], "auto", ["the positive class is 'true'", 'set train.positive = "pos"']),
        (["ja", "nein"], "nein", []),
        (["no", "yes"], "auto", []),
        (["a", "b", "c", "d"], "auto", []),
    ],
)
def test_a_guessed_positive_class_is_named(
    labels: list[str], positive: str, warned: list[str]
) -> None:
    frame = table(target=labels * (ROWS // len(labels)))
    warnings = " ".join(infer(frame, ColumnHints("target", positive=positive)).warnings)
    assert ("positive" in warnings) == bool(warned)
    assert all(text in warnings for text in warned)


@pytest.mark.parametrize(
    ("setting", "value", "hint"),
    [
        ("target", "price", "correct data.target; a file without a header needs data.columns"),
        ("id", "tarjet", "correct data.id: is it 'target'?"),
        ("ignore", ("targets",), "correct data.ignore: is it 'target'?"),
    ],
)
def test_an_error_about_an_absent_column_names_the_setting_and_the_columns(
    setting: str, value: object, hint: str
) -> None:
    with pytest.raises(DataError, match=f"data.{setting} names; it has x, target") as caught:
        contract_of(table(), **{setting: value})
    assert caught.value.hint == hint


@pytest.mark.parametrize("rows", [ROWS, 2_000])
def test_texts_of_words_that_differ_in_each_row_are_said_to_be_an_id(rows: int) -> None:
    words = [
        f"{row:04}".translate(str.maketrans("0123456789", "abcdefghij")) for row in range(rows)
    ]
    frame = pa.table({"x": range(rows), "client": words, "target": [0, 1] * (rows // 2)})
    (warning,) = infer(frame, ColumnHints("target")).warnings
    assert 'if it identifies the rows, set data.id = "client"' in warning
    assert not infer(frame, ColumnHints("target", id="client")).warnings


def test_a_task_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="has 2 classes, which is not multiclass"):
        contract_of(table(), task="multiclass")
    with pytest.raises(DataError, match="regression needs numbers"):
        contract_of(table(target=["a", "b"] * 20), task="regression")


def test_a_contract_survives_json() -> None:
    contract = contract_of(table(colour=["red", "blue"] * 20))
    assert Contract.from_dict(contract.to_dict()) == contract
