"""The rules of a contract for names and numbers, shared by whole tables and by rows of a request."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

import numpy as np

from lightmodel.contract.cells import INVALID, MISSING, Mask, Vector, is_marker
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.describe import text_of
from lightmodel.errors import SHOWN_ROWS, Violation

_TYPE_DETAILS = {
    ColumnType.BOOLEAN: "is neither true nor false",
    ColumnType.TIME: "is not a time of day as 23:59:00",
    ColumnType.DURATION: "is not a duration as 1:30:00, nor a number of seconds",
}
_NO_DATE = "is not a date"
_DATES_HINT = "dates are sent as text, never as milliseconds: in pandas, to_json(date_format='iso')"
# rules that a row may break and still be scored → the setting that decides
TOLERABLE = {"missing": "serve.on_missing", "range": "serve.on_out_of_range"}
_MAX_COMPARISONS = 5_000  # pairs of names; more take too long for a mere suggestion


def check_names(names: Sequence[str], contract: Contract, *, with_target: bool) -> list[Violation]:
    """Return a violation for each column that is absent or duplicated."""
    present = set(names)
    absent = [
        column.name
        for column in contract.expected(with_target=with_target)
        if column.name not in present
    ]
    spare = present - {column.name for column in contract.columns}
    if len(spare) * len(absent) > _MAX_COMPARISONS:
        spare = set()
    violations = [
        Violation(name, "absent", f"is not in the table{_suggest(name, spare)}") for name in absent
    ]
    if len(present) == len(names):
        return violations
    for name, count in Counter(filter(None, names)).items():  # nameless ones are left out
        if count > 1:
            detail = f"occurs {count} times in the table"
            violations.append(Violation(name, "duplicate_column", detail))
    return violations


def _suggest(name: str, spare: Iterable[str]) -> str:
    """Return a hint at an unknown column with nearly this name; "" if there is none."""
    folded = {other.strip().casefold(): other for other in sorted(spare)}
    near = get_close_matches(name.strip().casefold(), folded, n=1, cutoff=0.8)
    return f"; {folded[near[0]]!r} may be meant" if near else ""


def tolerance_hint(violations: Iterable[Violation]) -> str:
    """Return which settings would have rows with these violations scored; "" if none would."""
    rules = {violation.rule for violation in violations}
    settings = [f'{setting} = "warn"' for rule, setting in TOLERABLE.items() if rule in rules]
    return f"{' and '.join(settings)} would score such rows" if settings else ""


def request_hint(violations: Iterable[Violation]) -> str:
    """Return what the sender of rows with these violations may do; "" if nothing helps them all."""
    found = list(violations)
    is_no_date = any(one.rule == "type" and one.detail.startswith(_NO_DATE) for one in found)
    return "; ".join(filter(None, (_DATES_HINT * is_no_date, tolerance_hint(found))))


def number_violations(numbers: Vector, column: Column) -> list[Violation]:
    """Check a float64 column of numbers or codes, in which NaNs of `cells` mark other cells."""
    low, high = column.allowed
    if not len(numbers) or (low <= numbers.min() and numbers.max() <= high < np.inf):
        return []
    wrong = is_marker(numbers, INVALID)
    violations = []
    if wrong.any():
        violations.append(violation_of(column.name, "type", _type_detail(column), wrong))
    violations.extend(missing_violations(is_marker(numbers, MISSING), column))
    return violations + (_range_violations(numbers, column) if column.type.has_range else [])


def _type_detail(column: Column) -> str:
    if column.type.is_date:
        order = column.format.partition(" ")[2].replace("_", " ")
        return f"{_NO_DATE} as 2024-12-31, 31 Dec 2024{f' or, {order}, 03/04/2024' * bool(order)}"
    return _TYPE_DETAILS.get(column.type, "is not a number")


def valid_numbers(
    numbers: Vector, column: Column, tolerated: Collection[str] = frozenset()
) -> Mask:
    """Return the mask of the cells of such a column that break no rule but tolerated ones."""
    valid: Mask = np.isfinite(numbers)
    if column.role is not Role.FEATURE:
        return valid
    if column.type.has_range and "range" not in tolerated:
        low, high = column.allowed
        valid &= (low <= numbers) & (numbers <= high)
    may_miss = column.missing or "missing" in tolerated
    return valid | is_marker(numbers, MISSING) if may_miss else valid


def missing_violations(absent: Mask, column: Column) -> list[Violation]:
    """Return a violation if a column that must have values lacks some; `absent` marks those rows."""
    if not absent.any() or (column.missing and column.role is Role.FEATURE):
        return []
    detail = "has no value, and none was missing in training"
    return [violation_of(column.name, "missing", detail, absent)]


def _range_violations(numbers: Vector, column: Column) -> list[Violation]:
    low, high = column.allowed
    infinite = np.isinf(numbers)
    violations = []
    if infinite.any():
        violations.append(violation_of(column.name, "infinite", "is infinite", infinite))
    beyond = ((numbers < low) | (numbers > high)) & ~infinite
    if beyond.any() and column.role is Role.FEATURE:
        shown = [
            text_of(one, column) for one in (low, high, column.minimum or 0, column.maximum or 0)
        ]
        detail = f"is outside {shown[0]} to {shown[1]} (training saw {shown[2]} to {shown[3]})"
        violations.append(violation_of(column.name, "range", detail, beyond))
    return violations


def violation_of(name: str, rule: str, detail: str, wrong: Mask) -> Violation:
    """Return the violation of a rule by the rows of a column that `wrong` marks."""
    rows = np.flatnonzero(wrong) + 1
    return Violation(name, rule, detail, tuple(rows[:SHOWN_ROWS].tolist()), len(rows))
