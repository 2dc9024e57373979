"""The data contract: role, type and allowed values of each column, and the dialect of the table."""

from collections.abc import Callable, Container
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
    DATETIME = "datetime"
    TIME = "time"
    DURATION = "duration"
    TEXT = "text"

    @property
    def is_numeric(self) -> bool:
        """Whether its values are numbers."""
        return self in {ColumnType.INTEGER, ColumnType.NUMBER}

    @property
    def is_temporal(self) -> bool:
        """Whether its values are seconds: since 1970 in UTC, since midnight, or of a duration."""
        return self.is_date or self in {ColumnType.TIME, ColumnType.DURATION}

    @property
    def is_date(self) -> bool:
        """Whether its values are days, with a time of day or without."""
        return self in {ColumnType.DATE, ColumnType.DATETIME}

    @property
    def takes_numbers(self) -> bool:
        """Whether a plain number may be a value of it; of a duration it is the seconds."""
        return self.is_numeric or self is ColumnType.DURATION

    @property
    def has_range(self) -> bool:
        """Whether its values have a smallest and a largest one."""
        return self.is_numeric or self.is_temporal


_YEAR = 366 * 86_400.0  # seconds


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
        """The allowed range: that of training, extended by its width; not below 0 if training was not.

        A date may be any later one, for time goes on, and a time of day any at all.
        """
        if self.minimum is None or self.maximum is None or self.type is ColumnType.TIME:
            return float("-inf"), float("inf")
        span = (self.maximum - self.minimum) or max(abs(self.maximum), 1.0)
        if self.type.is_date:
            return self.minimum - max(self.maximum - self.minimum, _YEAR), float("inf")
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
        skip_rows: the number of lines above the header, or above the first row if there is none.
        units: the cells of a row of units below the header; () if there is none.
        sheet: the name of the sheet of an Excel file.
    """

    delimiter: str = ""
    quote: str = '"'
    decimal: str = ""
    encoding: str = "utf-8"
    columns: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    na_values: tuple[str, ...] = ("",)
    skip_rows: int = 0
    units: tuple[str, ...] = ()
    sheet: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value not in ("", (), 0)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Dialect":
        """Return the dialect of a dict that `to_dict` made."""
        lists = {name: tuple(value) for name, value in content.items() if isinstance(value, list)}
        return cls(**{**content, **lists})


@dataclass(frozen=True)
class Contract:
    """All columns, in the order of the training table, the task, and the dialect of the table.

    Attributes:
        dialect: None in the contracts of old models, from before it was stored.
        equal_rows_apart: whether rows with the same features are different cases, each of which is
            assigned to training or testing by itself.
    """

    columns: tuple[Column, ...]
    task: Task
    dialect: Dialect | None = None
    equal_rows_apart: bool = False

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

    @cached_property
    def others(self) -> tuple[Column, ...]:
        """The columns besides the target whose values no matrix holds: ids, ignored ones, and texts."""
        texts = {ColumnType.CATEGORY, ColumnType.TEXT}
        return tuple(
            column
            for column in self.columns
            if column.role is not Role.TARGET
            and (column.role is not Role.FEATURE or column.type in texts)
        )

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
        return replace(self, columns=tuple(columns), task=newer.task, dialect=newer.dialect)

    def only(self, names: Container[str]) -> "Contract":
        """Return the contract of those columns only whose names are in `names`."""
        return replace(self, columns=tuple(item for item in self.columns if item.name in names))

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types, without what is empty."""
        dialect = {"dialect": self.dialect.to_dict()} if self.dialect else {}
        apart = {"equal_rows_apart": True} if self.equal_rows_apart else {}
        return {
            "task": self.task.to_dict(),
            **dialect,
            **apart,
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
        apart = bool(content.get("equal_rows_apart"))
        return cls(columns, Task.from_dict(content["task"]), dialect, apart)


_KINDS = ("is_numeric", "is_temporal", "is_date")
_WIDER = (ColumnType.NUMBER, ColumnType.DATETIME)  # of which INTEGER and DATE are special cases


def _widened_column(column: Column, seen: Column | None, decimal: str) -> Column:
    if seen is None:
        return column
    if column.role in {Role.ID, Role.IGNORED}:
        missing = column.missing or seen.missing
        return replace(column, type=seen.type, missing=missing, format=seen.format)
    grown = column.type is ColumnType.CATEGORY and seen.type is ColumnType.TEXT  # too many values
    if column.type is ColumnType.TEXT or grown:
        return Column(column.name, column.role, ColumnType.TEXT, column.missing or seen.missing)
    if any(getattr(seen.type, what) != getattr(column.type, what) for what in _KINDS):
        return column
    from lightmodel.contract.cells import (
        canonical,
    )  # with NumPy, which those who only read need not

    known = {canonical(text, decimal) for text in column.categories}
    new = [text for text in seen.categories if canonical(text, decimal) not in known]
    return replace(
        column,
        type=next((kind for kind in _WIDER if kind in {column.type, seen.type}), column.type),
        missing=column.missing or seen.missing,
        minimum=_outermost(min, column.minimum, seen.minimum),
        maximum=_outermost(max, column.maximum, seen.maximum),
        categories=tuple(sorted((*column.categories, *new))),
        format=column.format or seen.format,
    )


def _outermost(pick: Callable[[list[float]], float], *values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return pick(known) if known else None
