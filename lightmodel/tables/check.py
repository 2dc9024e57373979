"""Validate a table against a contract: columns by name, all violations reported together.

The same checks apply to the next training table, the test rows and every request.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import (
    INVALID,
    MISSING,
    UNSEEN,
    Categories,
    Mask,
    Vector,
    canonical,
    distinct_categories,
    float_vector,
    is_marker,
    parse_numbers,
)
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.dates import to_micros
from lightmodel.contract.formats import text_parser
from lightmodel.contract.time_arrays import (
    ARROW_TYPES,
    as_numbers,
    is_kind,
    seconds_of,
    time_array,
)
from lightmodel.errors import Violation
from lightmodel.tables.column_rules import (
    TOLERABLE,
    check_names,
    missing_violations,
    number_violations,
    valid_numbers,
)
from lightmodel.tables.encode import (
    as_booleans,
    dictionary_encoded,
    format_column,
    parse_texts,
    to_booleans,
    to_numbers,
    trim,
)
from lightmodel.tables.mapped import moved_with


@dataclass(frozen=True)
class ValidatedTable:
    """A table in the contract's order and types, and its violations.

    Attributes:
        table: usable only without violations, but of tolerable rules; includes the id and ignored
            columns, if present.
        unseen: column → rows whose category was never seen in training; scored as missing.
        extra: columns that the contract does not know; dropped.
    """

    table: pa.Table
    violations: tuple[Violation, ...]
    unseen: dict[str, int]
    extra: tuple[str, ...]


def validate_table(
    table: pa.Table, contract: Contract, *, with_target: bool, decimal: str = "."
) -> ValidatedTable:
    """Convert `table` to the contract's order and types, and report all violations.

    Args:
        table: of plain types; its columns in any order, with duplicate names or not. A missing
            value is null.
        contract: to validate it against.
        with_target: whether the target is required (training) or ignored (requests).
        decimal: the decimal mark of numbers that are still text.
    """
    names = table.column_names
    violations = list(check_names(names, contract, with_target=with_target))
    columns: dict[str, pa.ChunkedArray] = {}
    unseen: dict[str, int] = {}
    wanted = {column.name for column in contract.expected(with_target=with_target)}
    missing = contract.dialect.na_values if contract.dialect else ()
    for column in contract.columns:
        if names.count(column.name) != 1:
            continue
        columns[column.name] = table[column.name]
        if column.name in wanted:
            values = table[column.name]
            if (decimal, contract.decimal) == (".", ","):
                values = with_points(values, column)
            checked = _check_column(values, column, decimal, missing)
            violations.extend(checked.violations)
            columns[column.name] = moved_with(checked.values, table[column.name])
            unseen[column.name] = checked.unseen
    known = {column.name for column in contract.columns}
    return ValidatedTable(
        pa.table(columns),
        tuple(violations),
        {name: count for name, count in unseen.items() if count},
        tuple(name for name in names if name and name not in known),
    )


def with_points(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """Return the texts of a column of numbers with decimal points, as `cells.with_point` does."""
    if not pa.types.is_string(values.type) or not column.type.is_numeric or column.format:
        return values
    has_point = pc.match_substring(values, ".")
    return pc.if_else(has_point, values, pc.replace_substring(values, ",", "."))


def valid_rows(
    table: pa.Table, contract: Contract, tolerated: Collection[str] = frozenset()
) -> Mask:
    """Return the mask of the rows that break no rule of a contract, but tolerated ones, with its target.

    No row does where a column is absent or of another type.
    """
    if check_names(table.column_names, contract, with_target=True):
        return np.zeros(table.num_rows, dtype=np.bool_)
    valid = np.ones(table.num_rows, dtype=np.bool_)
    for column in contract.expected(with_target=True):
        rules = tolerated if column.role is Role.FEATURE else frozenset()
        valid &= _valid_cells(table[column.name], column, rules)
    return valid


def _valid_cells(values: pa.ChunkedArray, column: Column, tolerated: Collection[str]) -> Mask:
    checked = _check_column(values, column, ".")
    violations = [one for one in checked.violations if one.rule not in tolerated]
    if not violations:
        return np.ones(len(values), dtype=np.bool_)
    if not all(one.total for one in violations):  # one concerns the whole column
        return np.zeros(len(values), dtype=np.bool_)
    is_text = column.type in {ColumnType.CATEGORY, ColumnType.TEXT}
    if is_text or (column.type.is_temporal and not column.format):
        return np.asarray(checked.values.is_valid())
    if column.type.is_temporal:
        return valid_numbers(_time_numbers(values, column, "."), column, tolerated)
    return valid_numbers(_numbers(values, column, "."), column, tolerated)


@dataclass(frozen=True)
class _Checked:
    """A column in the contract's type, its violations, and how many cells have a new category."""

    values: pa.ChunkedArray
    violations: Sequence[Violation] = ()
    unseen: int = 0


def _check_column(
    values: pa.ChunkedArray, column: Column, decimal: str, missing: Sequence[str] = ()
) -> _Checked:
    if column.type is ColumnType.CATEGORY:
        return _check_categories(values, column, decimal)
    if column.type is ColumnType.TEXT:
        texts = format_column(values)
        return _Checked(texts, missing_violations(texts.is_null().to_numpy(), column))
    if column.type.is_temporal:
        return _check_times(values, column, decimal)
    if _is_of_another_kind(values, column):
        detail = f"holds {values.type} values where {_KINDS[column.type.is_numeric]} are expected"
        return _Checked(values, [Violation(column.name, "type", detail)])
    numbers = _numbers(values, column, decimal, missing)
    violations = number_violations(numbers, column)
    if any(one.rule not in TOLERABLE for one in violations):
        return _Checked(values, violations)
    return _Checked(_convert(values, numbers, column), violations)


def column_numbers(values: pa.ChunkedArray, column: Column, decimal: str) -> Vector:
    """Return a column of numbers, booleans or times as float64; any other cell is INVALID."""
    if column.type.is_temporal:
        return _time_numbers(values, column, decimal)
    if _is_of_another_kind(values, column):
        return _invalid(values)
    return _numbers(values, column, decimal)


def _is_of_another_kind(values: pa.ChunkedArray, column: Column) -> bool:
    """Return whether a column of times, or of true and false, stands for one of numbers."""
    is_time = pa.types.is_temporal(values.type) and not pa.types.is_duration(values.type)
    return is_time or (column.type.is_numeric and pa.types.is_boolean(values.type))


def _invalid(values: pa.ChunkedArray) -> Vector:
    return np.where(values.is_null(nan_is_null=True).to_numpy(), MISSING, INVALID)


_KINDS = {True: "numbers", False: "true and false"}


def _check_times(values: pa.ChunkedArray, column: Column, decimal: str) -> _Checked:
    if not column.format:  # in the contract of an older model, where no feature is a date
        return _Checked(values, missing_violations(values.is_null().to_numpy(), column))
    numbers = _time_numbers(values, column, decimal)
    violations = number_violations(numbers, column)
    as_it_is = values.type == ARROW_TYPES[column.type]
    if as_it_is or any(one.rule not in TOLERABLE for one in violations):
        return _Checked(values, violations)
    return _Checked(time_array(to_micros(numbers), column.type), violations)


def _time_numbers(values: pa.ChunkedArray, column: Column, decimal: str) -> Vector:
    """Return a column of dates, times or durations as float64 seconds; any other cell is INVALID."""
    if pa.types.is_string(values.type):
        return parse_texts(trim(values), text_parser(column, (), decimal))
    is_seconds = column.type.takes_numbers and not pa.types.is_temporal(values.type)
    if is_seconds and not pa.types.is_boolean(values.type):
        return float_vector(values)
    if is_kind(values.type, column.type):
        return seconds_of(values)
    return _invalid(values)


def _numbers(
    values: pa.ChunkedArray, column: Column, decimal: str, missing: Sequence[str] = ()
) -> Vector:
    """Return a column of numbers or booleans as float64; any other cell is INVALID.

    Of texts, `missing` also means those that spell the same number, such as $-999.00 for -999.
    """
    boolean = column.type is ColumnType.BOOLEAN
    if pa.types.is_string(values.type):
        if boolean:
            return to_booleans(values, (), decimal)
        if column.format:
            numbers = parse_texts(trim(values), text_parser(column, (), decimal))
        else:
            numbers = to_numbers(values, (), decimal)
        return np.where(np.isin(numbers, parse_numbers(missing)), MISSING, numbers)
    numbers = float_vector(as_numbers(values))
    return as_booleans(numbers) if boolean and not pa.types.is_boolean(values.type) else numbers


def _convert(values: pa.ChunkedArray, numbers: Vector, column: Column) -> pa.ChunkedArray:
    """Return a valid column in the contract's type; integers stay integers."""
    if column.type is ColumnType.BOOLEAN:
        return pa.chunked_array([pa.array(numbers, from_pandas=True).cast(pa.bool_())])
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return values
    return pa.chunked_array([pa.array(numbers, from_pandas=True)])


def _check_categories(values: pa.ChunkedArray, column: Column, decimal: str) -> _Checked:
    """Write each category as in training, and each new one in a single canonical form."""
    texts = format_column(values)
    encoded = dictionary_encoded(texts)
    distinct = encoded.dictionary.to_pylist()
    codes = Categories(column.categories, (), decimal).codes(distinct)
    is_new = is_marker(codes, UNSEEN)
    new = [text for text, unseen in zip(distinct, is_new, strict=True) if unseen]
    names = _category_names(distinct, codes, column, distinct_categories(new, decimal), decimal)
    if names != distinct:
        texts = pa.chunked_array([pc.take(pa.array(names, pa.string()), encoded.indices)])
    unseen = 0
    if new and column.role is Role.FEATURE:
        unseen = int(pc.sum(pc.take(pa.array(is_new), encoded.indices)).as_py())
    return _Checked(texts, missing_violations(texts.is_null().to_numpy(), column), unseen)


def _category_names(
    texts: Sequence[str], codes: Vector, column: Column, new: Sequence[str], decimal: str
) -> list[str | None]:
    """Return the known or new category that each text means; None for a missing value."""
    forms: dict[str, str | None] = {canonical(text, decimal): text for text in new}
    return [
        column.categories[int(code)] if code == code else forms.get(canonical(text, decimal))
        for text, code in zip(texts, codes, strict=True)
    ]
