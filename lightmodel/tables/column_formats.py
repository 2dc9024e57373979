"""Read the text columns of a training table that are written in a format, such as amounts, as numbers.

The format of each is decided over the whole column, becomes part of the contract, and is the one by
which requests are read: see `contract.formats`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa

from lightmodel.contract.cells import INVALID, is_marker
from lightmodel.contract.columns import Column, ColumnType, Contract, Dialect, Role
from lightmodel.contract.formats import text_parser
from lightmodel.tables.amounts import read_amounts, why_no_amounts
from lightmodel.tables.column_types import null_numbers
from lightmodel.tables.encode import parse_texts
from lightmodel.tables.mapped import moved_with

Read = tuple[pa.ChunkedArray, str]  # the numbers and the format of a column of texts

# each is given the decimal mark of the table too, and returns None for a column of another kind
_READERS: tuple[Callable[[pa.ChunkedArray, str], Read | None], ...] = (read_amounts,)


@dataclass(frozen=True)
class FormattedTable:
    """A table whose texts of a format are numbers, the format of each such column, and warnings."""

    table: pa.Table
    formats: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def read_formats(
    table: pa.Table,
    kept: Collection[str],
    dialect: Dialect,
    accepted: Contract | None,
    unused: Collection[str] = (),
) -> FormattedTable:
    """Convert the text columns that are written in a format.

    Args:
        table: of plain types, its texts stripped.
        kept: names of columns that are left as they are.
        dialect: of the table.
        accepted: the contract in force: its formats hold, and what it knows as text stays text.
        unused: names of ignored columns, which are read nevertheless, and never warned of.
    """
    known = {column.name: column for column in accepted.columns} if accepted else {}
    decimal, formats, warnings = dialect.decimal or ".", dict[str, str](), list[str]()
    for at, name in enumerate(table.column_names):
        values, column = table.column(at), known.get(name)
        if not pa.types.is_string(values.type):
            continue
        if name not in unused and (name in kept or not _may_be_read(column)):
            continue
        read = _read_column(values, column, decimal)
        if read is not None:
            numbers, formats[name] = read
            numbers = moved_with(null_numbers(numbers, dialect.na_values), values)
            table = table.set_column(at, name, numbers)
        elif column is None and name not in unused and (reason := why_no_amounts(values)):
            warnings.append(f"column {name!r} is read as texts: {reason}")
    return FormattedTable(table, formats, tuple(warnings))


def _may_be_read(column: Column | None) -> bool:
    return column is None or (
        column.role in {Role.FEATURE, Role.TARGET}
        and column.type not in {ColumnType.CATEGORY, ColumnType.BOOLEAN, ColumnType.TEXT}
    )


def _read_column(values: pa.ChunkedArray, column: Column | None, decimal: str) -> Read | None:
    """Return the numbers of a column and its format, which is that of the contract if there is one.

    Texts that break the contract's format are left for the validation to report.
    """
    detected = (read(values, decimal) for read in _READERS)
    found = next((one for one in detected if one is not None), None)
    if column is None or not column.format or (found and found[1] == column.format):
        return found
    numbers = parse_texts(values, text_parser(column, (), decimal))
    if is_marker(numbers, INVALID).any():
        return None
    return pa.chunked_array([pa.array(numbers, from_pandas=True)]), column.format
