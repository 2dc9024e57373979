"""Describe the columns of a contract to people."""

from collections.abc import Iterable

from lightmodel.contract.columns import Column, Contract
from lightmodel.contract.dates import format_time


def text_of(value: float, column: Column) -> str:
    """Return a value of a column's range: a date as in ISO 8601, a number with six digits."""
    return format_time(value, column.type) if column.type.is_temporal else f"{value:g}"


def describe(contract: Contract) -> Iterable[str]:
    """Yield one readable line for each column."""
    for column in contract.columns:
        facts = [str(column.role), str(column.type)]
        if column.minimum is not None and column.maximum is not None:
            facts.append(f"{text_of(column.minimum, column)} to {text_of(column.maximum, column)}")
        if column.categories:
            shown = ", ".join(column.categories[:6])
            facts.append(shown + (", …" if len(column.categories) > 6 else ""))
        facts.append("may be missing" if column.missing else "never missing")
        yield f"{column.name}: {'; '.join(facts)}"
