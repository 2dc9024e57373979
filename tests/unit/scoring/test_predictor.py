"""Predictions, contributions, and the self-test of a model."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lightmodel.contract.cells import Matrix, Scores
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Label, Task, TaskKind
from lightmodel.errors import ArtefactCorrupt, ContractViolation, Violation
from lightmodel.scoring.predictor import Predictor, check_samples
from lightmodel.tables.blocks import Block
from lightmodel.training.metrics import predicted_codes

FEATURES = ("a", "b", "c")
SHARES = st.floats(0, 1)


def contract(kind: TaskKind, *labels: Label) -> Contract:
    columns = [Column("row", Role.ID, ColumnType.INTEGER, missing=False)]
    columns += [Column(name, Role.FEATURE, ColumnType.NUMBER, missing=True) for name in FEATURES]
    return Contract(
        (*columns, Column("y", Role.TARGET, ColumnType.CATEGORY, missing=False)),
        Task(kind, labels),
    )


BINARY = contract(TaskKind.BINARY, "no", "yes")
CLASSES = contract(TaskKind.MULTICLASS, 1, 2, 3)
NUMBER = contract(TaskKind.REGRESSION)


def block(rows: int, violations: tuple[Violation, ...] = ()) -> Block:
    return Block(np.zeros((rows, len(FEATURES))), list(range(rows)), violations, {})


def predictor(
    of: Contract,
    scores: Scores,
    threshold: float | None = None,
    contribute: Callable[[Matrix], Matrix] | None = None,
) -> Predictor:
    return Predictor("v1", of, threshold, lambda _: scores, contribute)


@given(
    scores=arrays(np.float64, st.integers(1, 8), elements=SHARES),
    default=st.none() | SHARES,
    requested=st.none() | SHARES,
)
def test_binary_predictions_equal_those_of_testing(
    scores: Scores, default: float | None, requested: float | None
) -> None:
    answers = predictor(BINARY, scores, default).answer(block(len(scores)), threshold=requested)
    threshold = next(one for one in (requested, default, 0.5) if one is not None)
    codes = predicted_codes(scores, threshold)
    assert answers.predictions == [("no", "yes")[code] for code in codes]
    assert answers.is_binary
    assert answers.probabilities() == scores.tolist()


@given(scores=arrays(np.float64, st.tuples(st.integers(1, 8), st.just(3)), elements=SHARES))
def test_multiclass_predictions_equal_those_of_testing(scores: Scores) -> None:
    answers = predictor(CLASSES, scores).answer(block(len(scores)))
    assert answers.predictions == [code + 1 for code in predicted_codes(scores, 0.5)]
    assert not answers.is_binary
    assert answers.probabilities() == [
        dict(zip(("1", "2", "3"), row, strict=True)) for row in scores.tolist()
    ]


def test_a_regression_score_is_the_prediction_and_has_no_probability() -> None:
    answers = predictor(NUMBER, np.array([1.5, -2.0])).answer(block(2))
    assert answers.columns() == {"row": [0, 1], "prediction": [1.5, -2.0]}


def test_the_id_column_keeps_its_name() -> None:
    answers = predictor(BINARY, np.array([0.25])).answer(block(1))
    assert answers.columns() == {"row": [0], "prediction": ["no"], "probability": [0.25]}


def test_rows_that_break_the_contract_are_not_scored() -> None:
    violation = Violation("a", "type", "is no number", (1,), 1)
    with pytest.raises(ContractViolation, match="'a'"):
        predictor(BINARY, np.array([0.5])).answer(block(1, (violation,)))


def test_the_largest_contributions_of_a_row_come_first_whatever_their_sign() -> None:
    table = np.array([[0.1, -0.5, 0.2, 9.0], [0.0, 0.0, -1.0, 9.0]])  # the last is the offset
    model = predictor(BINARY, np.array([0.2, 0.8]), contribute=lambda _: table)
    answers = model.answer(block(2), explain=2)
    assert answers.contributions == [
        [{"feature": "b", "value": -0.5}, {"feature": "c", "value": 0.2}],
        [{"feature": "c", "value": -1.0}, {"feature": "a", "value": 0.0}],
    ]
    assert answers.base_values == [9.0, 9.0]


@given(
    table=arrays(np.float64, (3, 25), elements=st.sampled_from([0.0, -1.0, 1.0, 2.5, -2.5])),
    count=st.integers(1, 24),
)
def test_of_equal_contributions_the_first_features_are_named(table: Matrix, count: int) -> None:
    names = tuple(f"f{number}" for number in range(24))
    model = Predictor("v1", BINARY, None, lambda _: np.zeros(3), lambda _: table, names)
    found = model.answer(block(3), explain=count).contributions
    assert found is not None
    for row, parts in zip(table[:, :24].tolist(), found, strict=True):
        order = sorted(range(24), key=lambda at: -abs(row[at]))[:count]  # sorted() is stable
        assert parts == [{"feature": names[at], "value": row[at]} for at in order]


def test_contributions_are_those_of_the_predicted_class() -> None:
    first, second, third = [1.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 3.0, 0]
    table = np.array([[*first, *second, *third]])
    scores = np.array([[0.1, 0.7, 0.2]])
    answers = predictor(CLASSES, scores, contribute=lambda _: table).answer(block(1), explain=1)
    assert answers.contributions == [[{"feature": "b", "value": 2.0}]]


@pytest.mark.parametrize(("change", "passes"), [(0.0, True), (1e-13, True), (1e-11, False)])
def test_scores_of_samples_must_equal_the_stored_ones(change: float, passes: bool) -> None:
    samples = [(0.25,), (0.75,)]
    model = predictor(BINARY, np.array([0.25, 0.75]) * (1 + change))
    if passes:
        check_samples(model, block(2), samples)
        return
    with pytest.raises(ArtefactCorrupt, match="get other scores than stored"):
        check_samples(model, block(2), samples)


def test_samples_that_break_the_contract_are_refused() -> None:
    violation = Violation("a", "type", "is no number", (1,), 1)
    with pytest.raises(ArtefactCorrupt, match="break its contract"):
        check_samples(predictor(BINARY, np.array([0.5])), block(1, (violation,)), [])
