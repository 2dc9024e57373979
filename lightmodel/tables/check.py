"""Hold a table against a contract: every column by name, every violation at once.

The same code serves the next training table, the test rows and every request.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.arrays import Mask, Vector
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.errors import SHOWN_ROWS, Violation
from lightmodel.tables.cells import NOT_A_NUMBER, NOT_THERE, is_marked

_COMPARED = 5_000  # pairs of names; more of them take long, and help nobody
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_TRUE, _FALSE = ("true", "True", "TRUE", "1"), ("false", "False", "FALSE", "0")


@dataclass(frozen=True)
class Conformed:
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


def conform(table: pa.Table, contract: Contract, *, with_target: bool) -> Conformed:
    """Bring `table` into the contract's order and types, and report what does not fit.

    Args:
        table: of plain types; its columns in any order, their names possibly repeated.
        contract: to hold it against.
        with_target: whether the target must be there (training) or is ignored (requests).
    """
    names = table.column_names
    violations = list(wrong_names(names, contract, with_target=with_target))
    columns: dict[str, pa.ChunkedArray] = {}
    unseen: dict[str, int] = {}
    wanted = {column.name for column in contract.expected(with_target=with_target)}
    for column in contract.columns:
        if names.count(column.name) != 1:
            continue
        values = table[column.name]
        if column.name in wanted:
            values, found = _checked(values, column)
            violations.extend(found)
            if column.categories and column.role is Role.FEATURE:
                unseen[column.name] = _count_unseen(values, column)
        columns[column.name] = values
    known = {column.name for column in contract.columns}
    return Conformed(
        pa.table(columns),
        tuple(violations),
        {name: count for name, count in unseen.items() if count},
        tuple(name for name in names if name not in known),
    )


def wrong_names(names: Sequence[str], contract: Contract, *, with_target: bool) -> list[Violation]:
    """Give the columns that are absent, or stand in the table more than once."""
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
    for name, count in Counter(names).items():
        if count > 1:
            detail = f"stands in the table {count} times"
            violations.append(Violation(name, "duplicate_column", detail))
    return violations


def _meant(name: str, spare: Iterable[str]) -> str:
    """Name the column that may be meant, where one that is not known has nearly this name."""
    folded = {other.strip().casefold(): other for other in sorted(spare)}
    near = get_close_matches(name.strip().casefold(), folded, n=1, cutoff=0.8)
    return f"; {folded[near[0]]!r} may be meant" if near else ""


def _checked(values: pa.ChunkedArray, column: Column) -> tuple[pa.ChunkedArray, list[Violation]]:
    """Cast one column to the contract's type and check its values."""
    cast, wrong_type = _cast(values, column)
    if wrong_type:
        return values, [wrong_type]
    violations = _absent(_mask(cast.is_null(nan_is_null=True)), column)
    if column.type.is_numeric:
        violations.extend(_outside(cast, column))
    return cast, violations


def _cast(values: pa.ChunkedArray, column: Column) -> tuple[pa.ChunkedArray, Violation | None]:
    if column.type.is_numeric:
        return _as_numbers(values, column)
    if column.type is ColumnType.BOOLEAN:
        return _as_booleans(values, column)
    if column.type is ColumnType.CATEGORY and not pa.types.is_string(values.type):
        return _as_texts(values), None
    return values, None


def _as_numbers(
    values: pa.ChunkedArray, column: Column
) -> tuple[pa.ChunkedArray, Violation | None]:
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return values, None
    if pa.types.is_null(values.type):
        return values.cast(pa.float64()), None
    if not pa.types.is_string(values.type):
        detail = f"holds {values.type} values where numbers are expected"
        return values, Violation(column.name, "type", detail)
    wrong = _mask(pc.fill_null(pc.invert(pc.match_substring_regex(values, _NUMBER)), False))
    if wrong.any():
        return values, _violation(column, "type", "is not a number", wrong)
    return pc.utf8_trim_whitespace(values).cast(pa.float64()), None


def _as_booleans(
    values: pa.ChunkedArray, column: Column
) -> tuple[pa.ChunkedArray, Violation | None]:
    if pa.types.is_boolean(values.type):
        return values, None
    texts = _as_texts(values)
    true = pc.is_in(texts, pa.array(_TRUE))
    known = pc.or_(pc.or_(true, pc.is_in(texts, pa.array(_FALSE))), texts.is_null())
    wrong = ~_mask(known)
    if wrong.any():
        return values, _violation(column, "type", "is neither true nor false", wrong)
    return pc.if_else(texts.is_null(), pa.scalar(None, pa.bool_()), true), None


def _as_texts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write values as text; whole numbers without a decimal point, however they were read."""
    if pa.types.is_floating(values.type):
        present = values.drop_null()
        whole = pc.and_(pc.equal(present, pc.floor(present)), pc.less(pc.abs(present), 2.0**53))
        if len(present) and pc.all(whole).as_py():
            values = values.cast(pa.int64())
    return values.cast(pa.string())


def _outside(values: pa.ChunkedArray, column: Column) -> list[Violation]:
    """Find infinite values, and those far beyond what training saw."""
    low, high = column.allowed
    extremes = pc.min_max(values).as_py()
    smallest, largest = extremes["min"], extremes["max"]
    if smallest is None or (smallest >= low and largest <= high and abs(largest) != float("inf")):
        return []
    return _beyond(values.to_numpy().astype(np.float64), column)


def number_violations(numbers: Vector, column: Column) -> list[Violation]:
    """Check one column of numbers, or of codes, in which `cells` has marked what is no number."""
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


def _count_unseen(values: pa.ChunkedArray, column: Column) -> int:
    known = pc.is_in(values, pa.array(column.categories, pa.string()))
    return int(pc.sum(pc.invert(pc.or_(known, values.is_null()))).as_py() or 0)


def _mask(values: pa.ChunkedArray) -> Mask:
    mask: Mask = values.to_numpy().astype(np.bool_)
    return mask


def _violation(column: Column, rule: str, detail: str, wrong: Mask) -> Violation:
    rows = np.flatnonzero(wrong[:]) + 1
    return Violation(
        column.name, rule, detail, tuple(int(row) for row in rows[:SHOWN_ROWS]), len(rows)
    )
