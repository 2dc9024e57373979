"""Which categories are published: frequent ones that do not look like persons."""

import json

import pytest

from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.publication import published
from lightmodel.contract.task import Task, TaskKind


def column_of(counts: dict[str, int]) -> Column:
    return Column("x", Role.FEATURE, ColumnType.CATEGORY, False, categories=tuple(sorted(counts)))


def contract_of(*columns: Column) -> Contract:
    return Contract(columns, Task(TaskKind.REGRESSION))


def shown(counts: dict[str, int]) -> tuple[str, ...]:
    column = column_of(counts)
    return published(contract_of(column), {"x": {"counts": counts}}).categories(column)


def test_a_category_of_fewer_than_five_rows_is_withheld_and_counted() -> None:
    column = column_of({"a": 5, "b": 4, "c": 50, "d": 1})
    found = published(contract_of(column), {"x": {"counts": {"a": 5, "b": 4, "c": 50, "d": 1}}})
    assert found.categories(column) == ("a", "c")
    assert found.withheld(column) == 2


def test_a_nearly_unique_column_publishes_nothing() -> None:
    assert shown({"regular": 6, **{f"customer {number}": 1 for number in range(20)}}) == ()


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.org",
        "Ann Lee <ann.lee@mail.example.co.uk>",
        "mailto:x_1+y@example.de",
        "+49 151 23456789",
        "+1 (555) 123-4567",
        "0049 30 1234567",
        "(030) 1234-5678",
        "07911 123456",
        "tel: 030/12345678",
        "555-123-4567",
        "(555) 123-4567",
        "555.123.4567",
    ],
)
def test_an_address_or_a_phone_number_is_withheld(text: str) -> None:
    assert shown({text: 90, "web": 50, "shop": 40}) == ("shop", "web")


@pytest.mark.parametrize(
    "text",
    [
        "web",
        "A@B",
        "3 @ 4.50",
        "10,000-20,000",
        "01234-5678",
        "12345",
        "2024-03-01",
        "01.03.2024",
        "01/03/2024",
        "09:30-17:00",
        "0-99",
        "+5 to +10",
        "1.5.2.10",
        "00012",
        "SKU-0012345",
        "192.168.0.12",
        "München",
    ],
)
def test_a_plain_category_is_published(text: str) -> None:
    assert text in shown({text: 90, "x": 50})


def test_a_column_of_addresses_publishes_none_of_its_texts() -> None:
    assert shown({"a@x.org": 9, "b@x.org": 9, "c@x.org": 9, "Dr. Lee": 9}) == ()


def test_without_a_profile_nothing_is_published() -> None:
    column = column_of({"web": 90})
    found = published(contract_of(column), {})
    assert (found.categories(column), found.withheld(column)) == ((), 1)


def test_rows_get_invented_ids_and_published_categories() -> None:
    key = Column("id", Role.ID, ColumnType.CATEGORY, False)
    number = Column("n", Role.FEATURE, ColumnType.NUMBER, False, 0.0, 1.0)
    names = Column("name", Role.FEATURE, ColumnType.CATEGORY, True, categories=("Ann", "Bob"))
    place = Column("place", Role.FEATURE, ColumnType.CATEGORY, True, categories=("a", "b", "c"))
    contract = contract_of(key, number, names, place)
    found = published(contract, {"place": {"counts": {"a": 5, "b": 9, "c": 1}}})
    rows = [
        {"id": "ann@x.org", "n": 0.5, "name": "Ann", "place": "c"},
        {"id": "bob@x.org", "n": 1.0, "name": None, "place": "a"},
    ]
    assert list(found.rows(rows, contract)) == [
        {"id": "sample-1", "n": 0.5, "name": "withheld", "place": "b"},
        {"id": "sample-2", "n": 1.0, "name": None, "place": "a"},
    ]


def test_a_stored_contract_shows_published_categories_and_the_count_of_others() -> None:
    counts = {"a": 5, "Ann": 1}
    contract = contract_of(column_of(counts))
    found = published(contract, {"x": {"counts": counts}}).contract(contract.to_dict())
    assert found["columns"][0]["categories"] == ["a"]
    assert found["columns"][0]["categories_withheld"] == 1
    assert "Ann" not in json.dumps(found)
