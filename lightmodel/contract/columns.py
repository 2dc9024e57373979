"""The data contract: role, type and allowed values of each column, and the dialect of the table."""

from collections.abc import Callable, Container, Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from lightmodel.contract.task import Task


class Role(StrEnum):
    """What a column is for."""

    ID = "id"
    TARGET = "target"
    FEATURE = "feature"
    IGNORED = "ignored"


class ColumnType(StrEnum):
    """The type of a column's values. Integers and numbers are both scored as float64."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CATEGORY = "category"
    DATE = "date"
    TEXT = "text"

    @property
    def is_numeric(self) -> bool:
        """Whether its values have a range."""
        return self in {ColumnType.INTEGER, ColumnType.NUMBER}


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        missing: whether a value may be missing.
        minimum: the smallest value seen in training (numeric columns).
        maximum: the largest one.
        categories: the values seen in training, sorted (category columns).
        format: how the column's texts are written, where they are no plain numbers or texts; see
            `formats`.
    """

    name: str
    role: Role
    type: ColumnType
    missing: bool
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    format: str = ""

    @property
    def allowed(self) -> tuple[float, float]:
        """The allowed range: that of training, extended by its width; not below 0 if training was not."""
        if self.minimum is None or self.maximum is None:
            return float("-inf"), float("inf")
        span = (self.maximum - self.minimum) or max(abs(self.maximum), 1.0)
        lowest = self.minimum - span
        return (max(lowest, 0.0) if self.minimum >= 0 else lowest), self.maximum + span

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Column":
        """Return the column of a dict that `Contract.to_dict` made."""
        fields = dict(content)
        fields["role"], fields["type"] = Role(fields["role"]), ColumnType(fields["type"])
        fields["categories"] = tuple(fields.get("categories", ()))
        return cls(**fields)


@dataclass(frozen=True)
class Dialect:
    """How the text of the training table is written, detected once.

    The rules that all tables share (whitespace, true and false, the syntax of numbers) are in `cells`.

    Attributes:
        delimiter: one ASCII character between two cells, " " for a run of blanks; "" if unknown,
            because the training table was not a CSV.
        quote: the character around quoted texts.
        decimal: the decimal mark; "" if no number had one.
        encoding: the Python codec name.
        columns: the configured names of the columns, "" for a dropped one; () if the first line
            names them.
        header: the names in the first line that `columns` replaces; () if that line is data.
        na_values: cells that mean a missing value, "" among them.
    """

    delimiter: str = ""
    quote: str = '"'
    decimal: str = ""
    encoding: str = "utf-8"
    columns: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    na_values: tuple[str, ...] = ("",)

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value not in ("", ())}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Dialect":
        """Return the dialect of a dict that `to_dict` made."""
        lists = {name: tuple(value) for name, value in content.items() if isinstance(value, list)}
        return cls(**{**content, **lists})


@dataclass(frozen=True)
class Contract:
    """All columns, in the order of the training table, the task, and the dialect of the table.

    The dialect is None in the contracts of old models, from before it was stored.
    """

    columns: tuple[Column, ...]
    task: Task
    dialect: Dialect | None = None

    @cached_property
    def features(self) -> tuple[Column, ...]:
        """The features, in training order: the only order in which they reach a model."""
        return tuple(column for column in self.columns if column.role is Role.FEATURE)

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, in training order."""
        return tuple(column.name for column in self.features)

    @cached_property
    def categorical(self) -> tuple[int, ...]:
        """Positions, among the features, of those that hold category codes."""
        pairs = enumerate(self.features)
        return tuple(at for at, column in pairs if column.type is ColumnType.CATEGORY)

    @cached_property
    def target(self) -> Column:
        """The column to predict."""
        return next(column for column in self.columns if column.role is Role.TARGET)

    @cached_property
    def id(self) -> Column | None:
        """The column that names a row, if there is one."""
        return next((column for column in self.columns if column.role is Role.ID), None)

    @property
    def decimal(self) -> str:
        """The decimal mark of the training table, "." if it had none."""
        return (self.dialect.decimal if self.dialect else "") or "."

    def expected(self, *, with_target: bool) -> tuple[Column, ...]:
        """Return the columns that a table must have; ignored ones and the id may be left out."""
        roles = {Role.FEATURE, Role.TARGET} if with_target else {Role.FEATURE}
        return tuple(column for column in self.columns if column.role in roles)

    def widened(self, newer: "Contract") -> "Contract":
        """Return this contract extended by the ranges and categories of a newer, valid table."""
        seen = {column.name: column for column in newer.columns}
        columns = (
            _widened_column(column, seen.get(column.name), newer.decimal) for column in self.columns
        )
        return Contract(tuple(columns), newer.task, newer.dialect)

    def only(self, names: Container[str]) -> "Contract":
        """Return the contract of those columns only whose names are in `names`."""
        return replace(self, columns=tuple(item for item in self.columns if item.name in names))

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types, without what is empty."""
        dialect = {"dialect": self.dialect.to_dict()} if self.dialect else {}
        return {
            "task": self.task.to_dict(),
            **dialect,
            "columns": [
                {key: value for key, value in asdict(column).items() if value not in (None, (), "")}
                for column in self.columns
            ],
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Contract":
        """Return the contract of a dict that `to_dict` made."""
        columns = tuple(Column.from_dict(column) for column in content["columns"])
        dialect = Dialect.from_dict(content["dialect"]) if "dialect" in content else None
        return cls(columns, Task.from_dict(content["task"]), dialect)


def _widened_column(column: Column, seen: Column | None, decimal: str) -> Column:
    if seen is None:
        return column
    if column.role in {Role.ID, Role.IGNORED}:
        return replace(column, type=seen.type, missing=column.missing or seen.missing)
    grown = column.type is ColumnType.CATEGORY and seen.type is ColumnType.TEXT  # too many values
    if column.type is ColumnType.TEXT or grown:
        return Column(column.name, column.role, ColumnType.TEXT, column.missing or seen.missing)
    if seen.type.is_numeric != column.type.is_numeric:
        return column
    from lightmodel.contract.cells import (
        canonical,
    )  # with NumPy, which those who only read need not

    known = {canonical(text, decimal) for text in column.categories}
    new = [text for text in seen.categories if canonical(text, decimal) not in known]
    return replace(
        column,
        type=ColumnType.NUMBER if ColumnType.NUMBER in {column.type, seen.type} else column.type,
        missing=column.missing or seen.missing,
        minimum=_outermost(min, column.minimum, seen.minimum),
        maximum=_outermost(max, column.maximum, seen.maximum),
        categories=tuple(sorted((*column.categories, *new))),
        format=column.format or seen.format,
    )


def _outermost(pick: Callable[[list[float]], float], *values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return pick(known) if known else None


def describe(contract: Contract) -> Iterable[str]:
    """Yield one readable line for each column."""
    for column in contract.columns:
        facts = [str(column.role), str(column.type)]
        if column.minimum is not None and column.maximum is not None:
            facts.append(f"{column.minimum:g} to {column.maximum:g}")
        if column.categories:
            shown = ", ".join(column.categories[:6])
            facts.append(shown + (", …" if len(column.categories) > 6 else ""))
        facts.append("may be missing" if column.missing else "never missing")
        yield f"{column.name}: {'; '.join(facts)}"
