"""What is written for Evidently: samples of training and now, and labelled answers."""

import numpy as np
import pyarrow as pa
import pytest

from lightmodel.contract.cells import UNSEEN, Matrix
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.contract.task import Task, TaskKind
from lightmodel.training.reference import Reference, make_reference
from lightmodel.watch.evidently.tables import (
    NEW,
    OTHER,
    ROWS,
    DriftTables,
    drift_tables,
    labelled_table,
)
from lightmodel.watch.labelled import LabelledRows
from lightmodel.watch.window import WindowRows
from tests.fakes.odd_names import LABELS, MARKUP
from tests.unit.watch.watch_samples import (
    COLOURS,
    MIXED,
    contract_of,
    feature,
    mixed_rows,
    reference_of,
    scores_of,
)


def rows_of(features: Matrix, contract: Contract = MIXED, unlogged: int = 0) -> WindowRows:
    """Return rows of the window, after some without features."""
    columns = {
        column.name: features[:, at]
        for at, column in enumerate(contract.features)
        if not column.type.is_date
    }
    count = len(features) + unlogged
    return WindowRows(count, [], np.arange(count) >= unlogged, columns, scores(count))


def scores(count: int) -> dict[str, np.ndarray]:
    return {"probability": scores_of(count, seed=4)}


def tables_of(rows: WindowRows, reference: Reference | None = None) -> DriftTables:
    return drift_tables(reference or reference_of(), rows, MIXED, with_features=True)


def shares(column: pa.ChunkedArray) -> dict[str | None, float]:
    counts = column.value_counts().to_pylist()
    return {one["values"]: one["counts"] / len(column) for one in counts}


def test_the_reference_is_drawn_with_the_shares_of_training() -> None:
    drawn = tables_of(rows_of(mixed_rows(700))).reference
    trained = mixed_rows(3_000)
    assert drawn.num_rows == 3_000
    for name, at in (("x", 0), ("count", 1), ("open", 5), ("said", 6)):
        values = np.sort(drawn[name].drop_null().to_numpy())
        known = np.sort(trained[:, at][~np.isnan(trained[:, at])])
        assert len(values) == len(known)
        assert np.searchsorted(known, values, "right") / len(known) == pytest.approx(
            np.searchsorted(values, values, "right") / len(values), abs=0.006
        ), name
    counts = np.bincount(trained[:, 2].astype(int)).tolist()
    expected = dict(zip(COLOURS, counts, strict=True))
    assert shares(drawn["colour"]) == {
        name: pytest.approx(count / 3_000, abs=0.001) for name, count in expected.items()
    }


def test_rows_of_the_reference_are_no_rows_of_training() -> None:
    """Columns that go together in training are drawn by themselves."""
    features = mixed_rows(2_000)
    features[:, 6] = features[:, 1] = np.arange(2_000)
    reference = make_reference(features, MIXED, scores_of(2_000))
    drawn = tables_of(rows_of(mixed_rows(700)), reference).reference
    together = np.corrcoef(drawn["count"].to_numpy(), drawn["said"].to_numpy())[0, 1]
    assert abs(together) < 0.1


def test_the_draw_is_always_the_same_and_limited() -> None:
    reference = reference_of(ROWS + 2_000)
    rows = rows_of(mixed_rows(50))
    first = tables_of(rows, reference)
    assert first.reference.equals(tables_of(rows, reference).reference)
    assert first.reference.num_rows == ROWS


def test_rows_now_have_the_columns_that_the_reference_has() -> None:
    features = mixed_rows(40)
    features[:3, 2] = (np.nan, float(UNSEEN), 0)
    features[:2, 0] = (np.inf, np.nan)
    features[0, 3] = np.nan
    tables = tables_of(rows_of(features, unlogged=7))
    now = tables.current
    assert now.column_names == tables.reference.column_names
    assert now.column_names == ["x", "count", "colour", "member", "open", "said", "probability"]
    assert now["colour"].to_pylist()[:3] == [None, NEW, "blue"]
    assert now["x"].to_pylist()[:2] == [None, None]
    assert now["member"].to_pylist()[0] is None
    assert set(now["member"].to_pylist()[1:]) == {"false", "true"}
    assert now["probability"].to_pylist() == scores(47)["probability"][7:].tolist()


def test_without_features_the_scores_of_all_rows_are_compared() -> None:
    rows = rows_of(mixed_rows(40), unlogged=7)
    tables = drift_tables(reference_of(), rows, MIXED, with_features=False)
    assert tables.current.column_names == tables.reference.column_names == ["probability"]
    assert tables.current.num_rows == 47


def test_unpublished_categories_have_no_name() -> None:
    """Of few rows each, they are counted together, and a column of such alone is left out."""
    names = [f"person {number}" for number in range(9)]
    contract = contract_of(
        feature("seller", ColumnType.CATEGORY, ("web", "shop", *names)),
        feature("who", ColumnType.CATEGORY, names),
    )
    features = np.zeros((100, 2))
    features[50:, 0] = 1
    features[:9, 0] = np.arange(2, 11)
    features[:9, 1] = np.arange(9)
    features[9:, 1] = np.nan
    reference = make_reference(features, contract, scores_of(100))
    tables = drift_tables(reference, rows_of(features, contract), contract, with_features=True)
    assert tables.current.column_names == ["seller", "probability"]
    for table in (tables.current, tables.reference):
        assert shares(table["seller"]) == {"web": 0.41, "shop": 0.5, OTHER: 0.09}


def test_a_column_without_any_value_is_left_out() -> None:
    features = mixed_rows(40)
    features[:, 0] = features[:, 2] = np.nan
    names = tables_of(rows_of(features)).current.column_names
    assert names == ["count", "member", "open", "said", "probability"]


def test_a_feature_may_be_called_as_a_score_or_end_a_script() -> None:
    contract = contract_of(
        feature("probability", ColumnType.NUMBER),
        feature(MARKUP, ColumnType.CATEGORY, (MARKUP, "b")),
    )
    features = np.column_stack([scores_of(90), np.arange(90) % 2])
    reference = make_reference(features, contract, scores_of(90))
    rows = rows_of(features, contract)
    tables = drift_tables(reference, rows, contract, with_features=True)
    first, markup, score = tables.current.column_names
    assert (first, score) == ("probability", "probability_")
    for text in (markup, *shares(tables.current[markup]), *shares(tables.reference[markup])):
        assert "<" not in str(text)


def labelled(
    kind: TaskKind, target: list[float], decided: list[int], values: object
) -> LabelledRows:
    times = np.array([f"t{row:05}" for row in range(len(target))])
    return LabelledRows(Task(kind), times, np.array(target), np.array(decided), np.array(values))


def test_binary_answers_have_label_decision_and_probability() -> None:
    rows = labelled(TaskKind.BINARY, [0, 1, 1], [1, 1, 0], [0.3, 0.9, 0.1])
    written = labelled_table(rows, MIXED)
    assert written.table.to_pydict() == {
        "probability": [0.3, 0.9, 0.1],
        "label": ["no", "yes", "yes"],
        "decision": ["yes", "yes", "no"],
    }
    assert written.described() == {
        "task": "binary",
        "label": "label",
        "decision": "decision",
        "scores": ["probability"],
        "positive": "yes",
    }


def test_answers_of_several_classes_have_a_column_for_each() -> None:
    contract = contract_of(task=Task(TaskKind.MULTICLASS, ("label", *LABELS[:2])))
    rows = labelled(TaskKind.MULTICLASS, [0, 2], [1, 2], [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    written = labelled_table(rows, contract)
    assert (written.label, written.decision, written.positive) == ("label_", "decision", None)
    assert written.scores[0] == "label"
    assert "<" not in "".join(written.scores)
    assert written.table["decision"].to_pylist() == [*written.scores[1:]]
    assert written.table["label"].to_pylist() == [0.2, 0.1]


def test_answers_of_a_regression_are_numbers() -> None:
    contract = contract_of(task=Task(TaskKind.REGRESSION))
    written = labelled_table(labelled(TaskKind.REGRESSION, [3.5, 4], [0, 0], [3, 5]), contract)
    assert written.table.to_pydict() == {"prediction": [3.0, 5.0], "label": [3.5, 4.0]}
    assert (written.decision, written.scores) == ("prediction", ("prediction",))


def test_of_many_labelled_answers_the_last_are_taken() -> None:
    count = ROWS + 10
    rows = labelled(TaskKind.REGRESSION, [*range(count)], [0] * count, [0.0] * count)
    contract = contract_of(task=Task(TaskKind.REGRESSION))
    assert labelled_table(rows, contract).table["label"].to_pylist() == [*range(10, count)]
