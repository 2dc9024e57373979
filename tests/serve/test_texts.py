"""Free text over HTTP: scored and explained by its features, and not published."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lightmodel.scoring.answer_writers import JsonWriter
from lightmodel.service.request_scorer import RequestScorer
from lightmodel.tables.json_blocks import JsonBlocks
from tests.fakes.trained import Trained, train
from tests.serve.tables.base import Row, lines
from tests.serve.tables.models import Models

WORDS = ("claim your prize", "running late for", "the invoice of")


def _alone(row: Row) -> str:
    return (
        f'"{WORDS[row.pick]} number {row.at}",{"yes" if row.pick == 0 or row.at % 9 == 0 else "no"}'
    )


def train_alone(folder: Path, *settings: tuple[str, object]) -> Trained:
    """Train on a table whose only feature is a text."""
    path = folder / "rows.csv"
    path.write_text(lines("said,y", _alone), encoding="utf-8")
    return train(folder, [("data.source", path), ("data.target", "y"), *settings])


def features_in(answer: Sequence[dict[str, str]]) -> set[str]:
    return {part["feature"] for part in answer}


def test_a_table_of_texts_alone_is_learnt_and_explained(tmp_path: Path) -> None:
    client = train_alone(tmp_path, ("train.features", '["frequency"]')).client(compiled=False)
    sent = [{"said": "Claim your  prize now"}, {"said": "running late for lunch"}]
    answer = client.post("/predict?explain=2", json=sent)
    assert answer.status_code == 200, answer.text
    first, second = answer.get_json()
    assert first["probability"] > 0.7 > 0.5 > second["probability"]
    assert features_in(first["contributions"]) == {"said (text)", "said (length)"}
    refused = client.post("/predict?explain=3", json=sent)
    assert "from 1 to 2" in refused.get_json()["detail"]


def test_several_classes_have_a_score_each(models: Models) -> None:
    names = models.model("messages in classes").served.predictor.names
    assert names == ("a", "c (length)", "c (text: u)", "c (text: v)", "c (text: w)")


def test_scores_of_texts_come_before_parts_of_dates_and_counts(models: Models) -> None:
    names = models.model("messages among others").served.predictor.names
    assert names[:5] == ("a", "d", "c (length)", "p", "c (text)")
    parts = ("month", "day", "weekday")  # all rows are of one year
    assert names[5:] == (*(f"d ({part})" for part in parts), "a (count)", "d (count)", "p (count)")


def test_columns_of_data_text_are_read_by_no_format(models: Models) -> None:
    contract = models.model("dates and amounts read as text").served.contract
    assert [(one.type, one.format) for one in contract.features[1:]] == [("text", "")] * 2


def test_a_missing_text_is_scored_beside_an_imputed_number(models: Models) -> None:
    client = models.client("messages among others", compiled=False)
    row = {"a": 0.5, "d": "2023-02-01", "c": None, "p": None}
    answer = client.post("/predict", json=[row, {**row, "p": 10_000, "d": None}])
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Missing-Values"] == "c=2, d=1, p=1"


def test_the_log_holds_the_length_of_a_text(models: Models) -> None:
    model = models.model("messages").served
    scorer = RequestScorer(model, JsonWriter(), None, 9, keep_features=True)
    scorer.add(JsonBlocks(model.rules, frozenset()).block([{"a": 0.5, "c": "late for lunch"}]))
    assert scorer.rows_to_log("one").features == {"a": [0.5], "c": [14.0]}


def test_texts_are_described_as_such_and_not_published(models: Models) -> None:
    client = models.client("messages", compiled=False)
    (column,) = [one for one in client.get("/schema").get_json()["columns"] if one["name"] == "c"]
    assert column["type"] == "text"
    assert "categories" not in column
    page = client.get("/")
    assert page.status_code == 200
    assert '<select id="f1"' not in page.text


@pytest.mark.parametrize("cell", [{"a": 1}, ["x"]])
def test_structures_are_no_text(models: Models, cell: object) -> None:
    client = models.client("messages", compiled=False)
    answer = client.post("/predict", json=[{"a": 0.5, "c": cell}])
    assert answer.status_code == 422
    assert answer.get_json()["violations"][0]["column"] == "c"


def test_a_missing_text_has_several_spellings(models: Models) -> None:
    sent = [{"a": 0.5, "c": None}, {"a": 0.5, "c": " n/a "}]
    answer = models.client("messages with gaps", compiled=False).post("/predict", json=sent)
    assert answer.status_code == 200, answer.text
    assert answer.get_json()[0] == answer.get_json()[1]
