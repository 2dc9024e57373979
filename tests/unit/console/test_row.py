"""The form for one row, without its page."""

from typing import Any

import pytest

from lightmodel.console.row import fields_of, matching, record_of, texts_of
from lightmodel.console.service_client import Schema

YEAR = {"minimum": "2025-01-01", "maximum": "2025-12-31"}
COLUMNS: list[dict[str, Any]] = [
    {"name": "id", "role": "id", "type": "category"},
    {"name": "Age", "role": "feature", "type": "integer", "seen": {"minimum": 18, "maximum": 79}},
    {"name": "spent", "role": "feature", "type": "number", "may_be_missing": True},
    {"name": "where", "role": "feature", "type": "category", "categories": ["street", "web"]},
    {"name": "member", "role": "feature", "type": "boolean"},
    {
        "name": "day",
        "role": "feature",
        "type": "date",
        "seen": {"minimum": "2025-01-01", "maximum": "2025-12-31"},
    },
]


def schema(on_missing: str = "warn") -> Schema:
    content = {"version": "v", "columns": COLUMNS, "on_missing": on_missing}
    return Schema.model_validate({**content, "answer": {"task": "binary", "target": "bought"}})


def test_the_fields_say_what_training_has_seen() -> None:
    hints = {field.name: field.hint for field in fields_of(schema())}
    assert hints["Age"] == "seen 18 to 79"
    assert hints["spent"] == "may be empty"
    assert hints["day"] == "seen 2025-01-01 to 2025-12-31"


def test_the_search_ignores_case() -> None:
    assert [field.name for field in matching(fields_of(schema()), " aGe ")] == ["Age"]
    assert matching(fields_of(schema()), "nowhere") == ()
    assert len(matching(fields_of(schema()), "")) == 5


def test_texts_become_the_values_of_a_request() -> None:
    texts = {
        "Age": "40",
        "spent": " 1.25e2 ",
        "where": "web",
        "member": "true",
        "day": "2025-03-01",
    }
    record, mistakes = record_of(texts, fields_of(schema()))
    assert record == {
        "Age": 40,
        "spent": 125.0,
        "where": "web",
        "member": True,
        "day": "2025-03-01",
    }
    assert mistakes == {}


def test_a_sample_fills_the_form_and_comes_back_as_it_was() -> None:
    sample = {"Age": 40, "spent": None, "where": "web", "member": False, "day": "2025-03-01"}
    fields = fields_of(schema())
    record, mistakes = record_of(texts_of(sample, fields), fields)
    assert record == sample
    assert mistakes == {}


@pytest.mark.parametrize("text", ["twelve", "1,5", "nan", "inf", "1e999", "0x10"])
def test_what_is_no_number_is_a_mistake_beside_its_field(text: str) -> None:
    _, mistakes = record_of({"Age": text}, fields_of(schema()))
    assert set(mistakes) == {"Age"}


def test_an_integer_keeps_all_its_digits() -> None:
    record, _ = record_of({"Age": "9007199254740993"}, fields_of(schema()))
    assert record["Age"] == 9007199254740993


def test_an_empty_field_is_a_mistake_only_where_the_service_refuses_it() -> None:
    _, mistakes = record_of({}, fields_of(schema("refuse")))
    assert set(mistakes) == {"Age", "where", "member", "day"}
    assert record_of({}, fields_of(schema()))[1] == {}
