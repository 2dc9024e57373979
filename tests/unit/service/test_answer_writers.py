"""Answers in every form say the same, however they are cut into blocks."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.scoring.predictor import Answers
from lightmodel.service.answer_writers import (
    CSV,
    JSON,
    JSON_LINES,
    WRITERS,
    CsvWriter,
    JsonLinesWriter,
    JsonWriter,
    MlflowWriter,
)

COLUMNS = (
    Column("row", Role.ID, ColumnType.CATEGORY, missing=False),
    Column("bought", Role.TARGET, ColumnType.CATEGORY, missing=False),
    Column("age", Role.FEATURE, ColumnType.NUMBER, missing=False),
)
BINARY = Contract(COLUMNS, Task(TaskKind.BINARY, (False, True)))
CLASSES = Contract(COLUMNS, Task(TaskKind.MULTICLASS, ("a", "b", "c")))
NUMBER = Contract(COLUMNS, Task(TaskKind.REGRESSION))
IDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(-(1 << 63), (1 << 64) - 1),
)


def binary(ids: Sequence[Any] | None, scores: Sequence[float]) -> Answers:
    return Answers(ids, [score >= 0.5 for score in scores], np.array(scores))


def written(writer: JsonWriter, blocks: Sequence[Answers]) -> bytes:
    for block in blocks:
        writer.add(block)
    return writer.body()


@given(
    rows=st.lists(st.tuples(IDS, st.floats(0, 1)), min_size=1, max_size=12), cut=st.integers(1, 12)
)
@settings(deadline=None)
def test_all_forms_have_the_same_rows_in_order(rows: list[tuple[Any, float]], cut: int) -> None:
    parts = [rows[at : at + cut] for at in range(0, len(rows), cut)]
    blocks = [binary([one for one, _ in part], [score for _, score in part]) for part in parts]
    listed = json.loads(written(JsonWriter(BINARY), blocks))
    assert [(one["row"], one["probability"]) for one in listed] == rows
    assert [one["prediction"] for one in listed] == [score >= 0.5 for _, score in rows]
    lines = written(JsonLinesWriter(BINARY), blocks).split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line) for line in lines] == listed
    text = written(CsvWriter(BINARY), blocks).decode()
    header, *cells = csv.reader(io.StringIO(text, newline=""))
    assert header == ["row", "prediction", "probability"]
    assert [(one, label, float(score)) for one, label, score in cells] == [
        (str(one["row"]), str(one["prediction"]).lower(), one["probability"]) for one in listed
    ]


def test_classes_have_a_probability_each() -> None:
    answers = Answers(None, ["b"], np.array([[0.2, 0.5, 0.3]]))
    assert json.loads(written(JsonWriter(CLASSES), [answers])) == [
        {"prediction": "b", "probability": {"a": 0.2, "b": 0.5, "c": 0.3}}
    ]
    assert written(CsvWriter(CLASSES), [answers]).decode().splitlines() == [
        "prediction,probability_a,probability_b,probability_c",
        "b,0.2,0.5,0.3",
    ]


def test_a_number_is_the_prediction_alone() -> None:
    answers = Answers([7], [1.5], np.array([1.5]))
    assert json.loads(written(JsonWriter(NUMBER), [answers])) == [{"row": 7, "prediction": 1.5}]
    assert written(CsvWriter(NUMBER), [answers]) == b"row,prediction\n7,1.5\n"


def test_contributions_are_a_list_in_json_and_columns_in_csv() -> None:
    found = [[{"feature": "age", "value": 0.25}]]
    answers = Answers(None, [True], np.array([0.9]), found)
    (row,) = json.loads(written(JsonWriter(BINARY, 1), [answers]))
    assert row["contributions"] == found[0]
    assert written(CsvWriter(BINARY, 1), [answers]).decode().splitlines() == [
        "prediction,probability,contribution_1_feature,contribution_1_value",
        "true,0.9,age,0.25",
    ]


def test_mlflows_form_has_the_scores_of_all_blocks() -> None:
    blocks = [binary(None, [0.25, 0.5]), binary(None, [1.0])]
    assert json.loads(written(MlflowWriter(BINARY), blocks)) == {"predictions": [0.25, 0.5, 1.0]}


@pytest.mark.parametrize("mimetype", [JSON, CSV, JSON_LINES])
def test_a_writer_is_found_by_its_media_type(mimetype: str) -> None:
    assert WRITERS[mimetype].mimetype == mimetype
