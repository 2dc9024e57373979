"""Read the texts of a training table that are dates or amounts, and infer the contract of its columns."""

from dataclasses import replace

import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.contract.columns import ColumnType, Contract, Dialect
from lightmodel.contract.hints import ColumnHints, texts_as_they_are
from lightmodel.contract.inference import Inferred, infer
from lightmodel.contract.time_arrays import as_numbers, is_kind
from lightmodel.tables.column_formats import read_formats
from lightmodel.tables.date_columns import read_dates
from lightmodel.training.usable_rows import usable_rows


def read_texts(
    table: pa.Table,
    hints: ColumnHints,
    data: DataSection,
    dialect: Dialect,
    accepted: Contract | None,
) -> tuple[pa.Table, Inferred]:
    """Return the rows to train on, with texts read by their formats, and the contract inferred from them.

    Raises:
        DataError: the table does not suit the settings.
    """
    kept = texts_as_they_are(table.column_names, hints)
    unused = [name for name in hints.unused if name in table.column_names]
    names = _may_be_dates(table, hints, accepted)
    dated = read_dates(table, names, data.dates, accepted, unused)
    in_seconds = _in_seconds(dated.table, hints.target)
    read = read_formats(in_seconds, kept, dialect, accepted, unused)
    table, left_out = usable_rows(read.table, hints, data, dialect.decimal or ".")
    inferred = infer(table, hints, dialect, {**read.formats, **dated.formats})
    warnings = (*dated.warnings, *read.warnings, *left_out, *inferred.warnings)
    return table, replace(inferred, warnings=warnings)


def _may_be_dates(table: pa.Table, hints: ColumnHints, accepted: Contract | None) -> list[str]:
    """Return the names of the columns whose texts may be dates: features, and what the split sorts by."""
    known = {column.name: column.type for column in accepted.features} if accepted else {}
    other = texts_as_they_are(table.column_names, hints) | {hints.target}
    features = [name for name in table.column_names if name not in other]
    if accepted:
        features = [name for name in features if name in known and known[name].is_temporal]
    return [*features, *([hints.time] if hints.time and hints.time not in features else [])]


def _in_seconds(table: pa.Table, target: str) -> pa.Table:
    """Return the table with a target of durations as numbers."""
    if target not in table.column_names or not is_kind(table[target].type, ColumnType.DURATION):
        return table
    at = table.column_names.index(target)
    return table.set_column(at, target, as_numbers(table[target]))
