"""Which categories of the training table may be shown to everybody who can reach the service.

A model needs all categories; a name, an address or a value of few rows may tell about one person.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightmodel.contract.columns import Column, ColumnType, Contract, Role

TEXTS = frozenset({"category", "text"})  # the types of columns whose values may name persons
MIN_ROWS = 5  # of a category that is published
WITHHELD = "withheld"  # in a sample row, instead of a category of a column that publishes none
_NEARLY_UNIQUE = 0.5  # distinct values per row: such a column names its rows
_PERSONAL_SHARE = 0.5  # of the categories: if more look personal, so are the others
_DIGITS = r"(?:[ ()/.-]{0,2}\d)"  # each with what people write between those of a phone number
_PERSONAL = re.compile(
    r"[^\s@]@[^\s@]+\.\w\w"  # an e-mail address
    rf"|(?<![\w.])\(?(?:\+|00)[1-9]{_DIGITS}{{6,14}}(?!\w)"  # a phone number with its country
    rf"|(?<![\w.])(?!\d{{5}}-\d{{4}}(?!\w))\(?0{_DIGITS}{{8,13}}(?!\w)"  # with a 0, but no ZIP code
    r"|(?<![\w.])\(?\d{3}\)?[ .-]{1,2}\d{3}[ .-]\d{4}(?!\w)"  # in North America
)


@dataclass(frozen=True)
class Published:
    """The categories of each category column, by name, that may be published: the most frequent first."""

    by_column: Mapping[str, tuple[str, ...]]

    def categories(self, column: Column) -> tuple[str, ...]:
        """Return the published categories of a column, in the contract's order."""
        known = set(self.by_column.get(column.name, ()))
        return tuple(text for text in column.categories if text in known)

    def withheld(self, column: Column) -> int:
        """Return how many categories of a column are not published."""
        return len(column.categories) - len(self.by_column.get(column.name, ()))

    def rows(
        self, rows: Iterable[Mapping[str, Any]], contract: Contract
    ) -> Iterator[dict[str, Any]]:
        """Yield rows as values by column, with invented ids, and published categories for the others.

        Ignored columns are left out.
        """
        columns = {
            column.name: column for column in contract.columns if column.role is not Role.IGNORED
        }
        for number, row in enumerate(rows, start=1):
            yield {
                name: self._cell(value, columns[name], number)
                for name, value in row.items()
                if name in columns
            }

    def _cell(self, value: object, column: Column, number: int) -> object:
        if column.role is Role.ID:
            return number if column.type is ColumnType.INTEGER else f"sample-{number}"
        if column.type not in TEXTS or value is None:
            return value
        published = self.by_column.get(column.name, ())
        return value if value in published else next(iter(published), WITHHELD)

    def contract(self, contract: Mapping[str, Any]) -> dict[str, Any]:
        """Return a contract in JSON's types with published categories only, and the count of others."""
        return {**contract, "columns": [self._column(column) for column in contract["columns"]]}

    def _column(self, described: Mapping[str, Any]) -> dict[str, Any]:
        column = Column.from_dict(dict(described))
        if not column.categories:
            return dict(described)
        withheld = {"categories_withheld": count} if (count := self.withheld(column)) else {}
        return {**described, "categories": list(self.categories(column)), **withheld}


def published(contract: Contract, profile: Mapping[str, Any]) -> Published:
    """Return the categories that have at least five rows, and do not look like persons.

    Args:
        contract: of the model.
        profile: `columns` of the profile of its training table, in JSON's types; a column that is not
            in it publishes nothing.
    """
    columns = [column for column in contract.features if column.categories]
    return Published(
        {column.name: _published(column, profile.get(column.name) or {}) for column in columns}
    )


def _published(column: Column, profile: Mapping[str, Any]) -> tuple[str, ...]:
    return publishable(column.categories, profile.get("counts") or {})


def publishable(categories: Sequence[str], counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return those categories of a column that may be published, the most frequent first.

    `counts` are the rows of each text; of a column in which most texts differ nothing may be published.
    """
    if len(counts) > _NEARLY_UNIQUE * sum(counts.values()):
        return ()
    plain = [text for text in categories if not _PERSONAL.search(text)]
    if len(plain) < _PERSONAL_SHARE * len(categories):
        return ()
    frequent = [text for text in plain if counts.get(text, 0) >= MIN_ROWS]
    return tuple(sorted(frequent, key=lambda text: (-counts[text], text)))
