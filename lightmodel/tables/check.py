"""Validate a table against a contract: every column by name, every violation at once.

The same checks serve the next training table, the test rows and every request.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import (
    NOT_A_NUMBER,
    NOT_THERE,
    UNSEEN,
    Categories,
    Mask,
    Vector,
    canonical,
    float_vector,
    is_marked,
    one_of_each,
)
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.errors import SHOWN_ROWS, Violation
from lightmodel.tables.encode import (
    booleans_from,
    coded,
    numbers_from,
    texts_of,
    truths,
)

_COMPARED = 5_000  # pairs of names; more of them take long, and help nobody


@dataclass(frozen=True)
class ValidatedTable:
    """A table in the contract's order and types, and what is wrong with it.

    Attributes:
        table: usable only if there is no violation; also holds id and ignored columns that came.
        unseen: column → rows whose category was never seen in training; scored as missing.
        extra: columns that the contract does not know; left out.
    """

    table: pa.Table
    violations: tuple[Violation, ...]
    unseen: dict[str, int]
    extra: tuple[str, ...]


def conform(
    table: pa.Table, contract: Contract, *, with_target: bool, decimal: str = "."
) -> ValidatedTable:
    """Bring `table` into the contract's order and types, and report what does not fit.

    Args:
        table: of plain types; its columns in any order, their names possibly repeated. A cell that
            means no value is null.
        contract: to hold it against.
        with_target: whether the target must be there (training) or is ignored (requests).
        decimal: the mark of numbers that are still text.
    """
    names = table.column_names
    violations = list(wrong_names(names, contract, with_target=with_target))
    columns: dict[str, pa.ChunkedArray] = {}
    unseen: dict[str, int] = {}
    wanted = {column.name for column in contract.expected(with_target=with_target)}
    for column in contract.columns:
        if names.count(column.name) != 1:
            continue
        columns[column.name] = table[column.name]
        if column.name in wanted:
            found = _checked(table[column.name], column, decimal)
            violations.extend(found.violations)
            columns[column.name] = found.values
            unseen[column.name] = found.unseen
    known = {column.name for column in contract.columns}
    return ValidatedTable(
        pa.table(columns),
        tuple(violations),
        {name: count for name, count in unseen.items() if count},
        tuple(name for name in names if name and name not in known),
    )


def wrong_names(names: Sequence[str], contract: Contract, *, with_target: bool) -> list[Violation]:
    """Return the columns that are absent, or stand in the table more than once."""
    found = set(names)
    absent = [
        column.name
        for column in contract.expected(with_target=with_target)
        if column.name not in found
    ]
    spare = found - {column.name for column in contract.columns}
    if len(spare) * len(absent) > _COMPARED:
        spare = set()
    violations = [
        Violation(name, "absent", f"is not in the table{_meant(name, spare)}") for name in absent
    ]
    if len(found) == len(names):
        return violations
    for name, count in Counter(filter(None, names)).items():  # nameless ones are left out
        if count > 1:
            detail = f"stands in the table {count} times"
            violations.append(Violation(name, "duplicate_column", detail))
    return violations


def _meant(name: str, spare: Iterable[str]) -> str:
    """Name the column that may be meant, where one that is not known has nearly this name."""
    folded = {other.strip().casefold(): other for other in sorted(spare)}
    near = get_close_matches(name.strip().casefold(), folded, n=1, cutoff=0.8)
    return f"; {folded[near[0]]!r} may be meant" if near else ""


@dataclass(frozen=True)
class _Checked:
    """A column in the contract's type, what is wrong in it, and how many categories are new."""

    values: pa.ChunkedArray
    violations: Sequence[Violation] = ()
    unseen: int = 0


def _checked(values: pa.ChunkedArray, column: Column, decimal: str) -> _Checked:
    if column.type is ColumnType.CATEGORY:
        return _categories(values, column, decimal)
    if column.type is ColumnType.DATE:
        return _Checked(values, _absent(values.is_null().to_numpy(), column))
    if pa.types.is_temporal(values.type) or (
        column.type.is_numeric and pa.types.is_boolean(values.type)
    ):
        detail = f"holds {values.type} values where {_WANTED[column.type.is_numeric]} are expected"
        return _Checked(values, [Violation(column.name, "type", detail)])
    numbers = _numbers(values, column, decimal)
    violations = number_violations(numbers, column)
    return _Checked(values if violations else _typed(values, numbers, column), violations)


_WANTED = {True: "numbers", False: "true and false"}


def _numbers(values: pa.ChunkedArray, column: Column, decimal: str) -> Vector:
    """Return a column of numbers or booleans as float64, with what is none marked."""
    boolean = column.type is ColumnType.BOOLEAN
    if pa.types.is_string(values.type):
        read = booleans_from if boolean else numbers_from
        return read(values, (), decimal)
    numbers = float_vector(values)
    return truths(numbers) if boolean and not pa.types.is_boolean(values.type) else numbers


def _typed(values: pa.ChunkedArray, numbers: Vector, column: Column) -> pa.ChunkedArray:
    """Return a column that fits in the contract's type, which whole numbers keep."""
    if column.type is ColumnType.BOOLEAN:
        return pa.chunked_array([pa.array(numbers, from_pandas=True).cast(pa.bool_())])
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return values
    return pa.chunked_array([pa.array(numbers, from_pandas=True)])


def _categories(values: pa.ChunkedArray, column: Column, decimal: str) -> _Checked:
    """Write each category as training knows it, and those that are new in one form each."""
    texts = texts_of(values)
    found = coded(texts)
    distinct = found.dictionary.to_pylist()
    codes = Categories(column.categories, (), decimal).codes(distinct)
    is_new = is_marked(codes, UNSEEN)
    new = [text for text, unseen in zip(distinct, is_new, strict=True) if unseen]
    names = _names(distinct, codes, column, one_of_each(new, decimal), decimal)
    if names != distinct:
        texts = pa.chunked_array([pc.take(pa.array(names, pa.string()), found.indices)])
    unseen = 0
    if new and column.role is Role.FEATURE:
        unseen = int(pc.sum(pc.take(pa.array(is_new), found.indices)).as_py())
    return _Checked(texts, _absent(texts.is_null().to_numpy(), column), unseen)


def _names(
    texts: Sequence[str], codes: Vector, column: Column, new: Sequence[str], decimal: str
) -> list[str | None]:
    """Return for each text the category that it means, of those known or new; None for no value."""
    forms: dict[str, str | None] = {canonical(text, decimal): text for text in new}
    return [
        column.categories[int(code)] if code == code else forms.get(canonical(text, decimal))
        for text, code in zip(texts, codes, strict=True)
    ]


def number_violations(numbers: Vector, column: Column) -> list[Violation]:
    """Check one column of numbers, or of codes, in which `cells` has marked what is no number."""
    low, high = column.allowed
    if not len(numbers) or (low <= numbers.min() and numbers.max() <= high < np.inf):
        return []
    wrong = is_marked(numbers, NOT_A_NUMBER)
    violations = []
    if wrong.any():
        kind = (
            "is neither true nor false" if column.type is ColumnType.BOOLEAN else "is not a number"
        )
        violations.append(_violation(column, "type", kind, wrong))
    violations.extend(_absent(is_marked(numbers, NOT_THERE), column))
    return violations + (_beyond(numbers, column) if column.type.is_numeric else [])


def _absent(absent: Mask, column: Column) -> list[Violation]:
    if not absent.any() or (column.missing and column.role is Role.FEATURE):
        return []
    detail = "has no value, and none was missing in training"
    return [_violation(column, "missing", detail, absent)]


def _beyond(numbers: Vector, column: Column) -> list[Violation]:
    low, high = column.allowed
    infinite = np.isinf(numbers)
    violations = []
    if infinite.any():
        violations.append(_violation(column, "infinite", "is infinite", infinite))
    beyond = ((numbers < low) | (numbers > high)) & ~infinite
    if beyond.any() and column.role is Role.FEATURE:
        detail = f"is outside {low:g} to {high:g} (training saw {column.minimum:g} to {column.maximum:g})"
        violations.append(_violation(column, "range", detail, beyond))
    return violations


def _violation(column: Column, rule: str, detail: str, wrong: Mask) -> Violation:
    rows = np.flatnonzero(wrong[:]) + 1
    return Violation(
        column.name, rule, detail, tuple(int(row) for row in rows[:SHOWN_ROWS]), len(rows)
    )
