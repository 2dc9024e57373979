"""What is entered in a form becomes a value of the settings file, or a mistake of the validation."""

from typing import Any

import pytest

from lightmodel.config import load
from lightmodel.config.describe import SettingInfo, described

pytestmark = pytest.mark.console


@pytest.fixture
def known() -> dict[str, SettingInfo]:
    return {one.path: one for one in described(load(environ={}))}


@pytest.mark.parametrize(
    ("path", "entered", "value"),
    [
        ("train.folds", "5", 5),
        ("train.folds", "five", "five"),
        ("train.folds", "", None),
        ("gate.minimum", "0.8", 0.8),
        ("gate.minimum", " ", None),
        ("gate.allow_uncompared", True, True),
        ("train.task", "binary", "binary"),
        ("data.target", " price ", "price"),
        ("data.target", "", ""),
        ("data.ignore", '["a", "b"]', ["a", "b"]),
        ("train.parameters", "{num_leaves = 31}", {"num_leaves": 31}),
        ("train.parameters", "num_leaves", "num_leaves"),
    ],
)
def test_a_text_becomes_a_value_of_its_type(
    known: dict[str, SettingInfo], path: str, entered: Any, value: Any
) -> None:
    from lightmodel.console.project.settings_form import value_of

    assert value_of(known[path], entered) == value


def test_a_value_is_shown_as_it_is_written(known: dict[str, SettingInfo]) -> None:
    from lightmodel.console.project.settings_form import shown_text

    assert shown_text(None) == ""
    assert shown_text(True) == "true"
    assert shown_text({"num_leaves": 31}) == "{num_leaves = 31}"
    assert shown_text(["a", 1]) == '["a", 1]'
    assert shown_text(known["data.na_values"].default).startswith('["", ')


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ({"ge": 2, "le": 100}, "2 to 100"),
        ({"gt": 0}, "more than 0"),
        ({"ge": 1}, "at least 1"),
        ({"lt": 1}, "less than 1"),
        ({"le": 5}, "at most 5"),
        ({}, ""),
    ],
)
def test_a_range_is_told_in_words(bounds: dict[str, float], text: str) -> None:
    from lightmodel.console.project.settings_form import bounds_text

    assert bounds_text(bounds) == text
