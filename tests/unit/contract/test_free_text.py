"""Which columns of text are free text, which categories, and which identify the rows."""

from dataclasses import replace

import pyarrow as pa
import pytest

from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.hints import ColumnHints
from lightmodel.contract.inference import infer
from lightmodel.errors import DataError

ROWS = 1_500
TARGET = ["no", "yes"] * 15_000


def column_of(cells: list[str], **hints: object) -> tuple[Column, str]:
    table = pa.table({"c": cells, "a": range(len(cells)), "y": TARGET[: len(cells)]})
    inferred = infer(table, ColumnHints("y", id="", **hints))  # type: ignore[arg-type]
    return inferred.contract.columns[0], " ".join(inferred.warnings)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([f"see you at {at} then" for at in range(200)], ColumnType.TEXT),
        ([f"Doe, Jo {at}" for at in range(ROWS)], ColumnType.TEXT),
        ([f"user{at % 700}" for at in range(ROWS)], ColumnType.TEXT),
        ([f"user{at % 60}" for at in range(ROWS)], ColumnType.CATEGORY),
        ([f"user{at % 130}" for at in range(ROWS)], ColumnType.TEXT),
        ([f"user{at % 130}" for at in range(30 * 130)], ColumnType.CATEGORY),
        ([f"user{at % 1_001}" for at in range(26 * 1_001)], ColumnType.TEXT),
        ([f"sold out in {at} days" for at in range(50)], ColumnType.CATEGORY),
        ([f"sold out in {at % 60} days" for at in range(ROWS)], ColumnType.CATEGORY),
    ],
)
def test_sentences_names_and_many_values_are_text(cells: list[str], kind: ColumnType) -> None:
    column, _ = column_of(cells)
    assert (column.role, column.type) == (Role.FEATURE, kind)
    assert bool(column.categories) == (kind is ColumnType.CATEGORY)


def test_words_that_identify_rows_are_text_only_by_the_setting() -> None:
    cells = [f"X-{at:05}" for at in range(ROWS)]
    column, warnings = column_of(cells)
    assert column.role is Role.IGNORED
    assert "add it to data.text" in warnings
    column, _ = column_of(cells, text=("c",))
    assert (column.role, column.type) == (Role.FEATURE, ColumnType.TEXT)
    with pytest.raises(DataError, match=r"no column 'd', which data\.text names"):
        column_of(cells, text=("d",))


def test_a_category_with_too_many_values_becomes_text_when_its_table_grows() -> None:
    few, _ = column_of([f"user{at % 100}" for at in range(ROWS)])
    many, _ = column_of([f"user{at % 400}" for at in range(ROWS)])
    table = pa.table({"c": ["u", "v"], "y": ["no", "yes"]})
    contract = infer(table, ColumnHints("y")).contract
    old, new = (replace(contract, columns=(one, contract.target)) for one in (few, many))
    assert old.widened(new).columns[0] == many
    assert new.widened(old).columns[0] == many
    number = replace(few, type=ColumnType.NUMBER, categories=())
    numbers = replace(contract, columns=(number, contract.target))
    assert new.widened(numbers).columns[0] == many
    assert numbers.widened(new).columns[0] == number
    assert Contract.from_dict(new.to_dict()) == new
