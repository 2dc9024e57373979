"""The controls of the page's form."""

import pytest

from lightmodel.contract.columns import Column, ColumnType, Role
from lightmodel.contract.publication import Published
from lightmodel.service.form import Field, field_of


def column(kind: ColumnType, *, missing: bool = False, **seen: object) -> Column:
    return Column("x", Role.FEATURE, kind, missing, **seen)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (
            column(ColumnType.INTEGER, minimum=18.0, maximum=79.0),
            Field("x", "number", True, "seen 18 to 79", "1", "0", "140"),
        ),
        (
            column(ColumnType.NUMBER, missing=True, minimum=-1.5, maximum=2.0),
            Field(
                "x",
                "number",
                False,
                "seen \N{MINUS SIGN}1.5 to 2, may be empty",
                "any",
                "-5",
                "5.5",
            ),
        ),
        (column(ColumnType.NUMBER), Field("x", "number", True, "")),
        (
            column(ColumnType.BOOLEAN, missing=True),
            Field("x", "choice", False, "may be empty", choices=("true", "false")),
        ),
        (
            column(ColumnType.DATE, minimum=0.0, maximum=86_400.0, format="date"),
            Field("x", "time", True, "seen 1970-01-01 to 1970-01-02", input="date"),
        ),
        (
            column(ColumnType.DURATION, minimum=-60.0, maximum=90_000.0, format="duration"),
            Field("x", "time", True, "seen \N{MINUS SIGN}0:01:00 to 25:00:00"),
        ),
        (
            column(ColumnType.CATEGORY, categories=("a", "b")),
            Field("x", "choice", True, "", choices=("a", "b")),
        ),
        (
            column(ColumnType.CATEGORY, categories=tuple("abc" * 17)),
            Field("x", "suggestions", True, "51 values seen", choices=tuple("abc" * 17)),
        ),
    ],
)
def test_a_column_becomes_a_control(of: Column, expected: Field) -> None:
    assert field_of(of, Published({"x": of.categories}), ()) == expected


def test_a_control_allows_what_the_service_tolerates_and_offers_what_is_published() -> None:
    number = column(ColumnType.INTEGER, minimum=0.0, maximum=10.0)
    assert field_of(number, Published({}), {"missing", "range"}) == Field(
        "x", "number", False, "seen 0 to 10", step="1"
    )
    names = column(ColumnType.CATEGORY, categories=("Ann", "Bob", "x"))
    field = field_of(names, Published({"x": ("x",)}), ())
    assert (field.kind, field.choices) == ("suggestions", ("x",))
    assert field.hint.startswith("3 values seen, 2 of them not shown")
