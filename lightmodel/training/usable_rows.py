"""The rows that training uses: those with a value, a target and a weight, of a class with several."""

import numpy as np
import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.contract.cells import Mask
from lightmodel.contract.hints import ColumnHints, require_column
from lightmodel.errors import SHOWN_ROWS
from lightmodel.tables.blank_rows import blank_rows
from lightmodel.tables.mapped import rows_where
from lightmodel.training.rare_classes import without_rare_classes
from lightmodel.training.weights import read_weights


def usable_rows(
    table: pa.Table, hints: ColumnHints, data: DataSection, decimal: str = "."
) -> tuple[pa.Table, tuple[str, ...]]:
    """Return the rows to train on, and a warning for each reason for which others were left out.

    `decimal` is the decimal mark of weights that are still text.

    Raises:
        DataError: the table has no target, or not the weights that it should have.
    """
    require_column(table, hints.target, "data.target")
    blank = blank_rows(table.columns)
    table, warnings = _without(table, blank, "no value at all", "; later row numbers skip them")
    if data.unlabelled == "drop":
        unlabelled = table[hints.target].is_null(nan_is_null=True).to_numpy()
        table, dropped = _without(table, unlabelled, f"no {hints.target!r}", " (data.unlabelled)")
        warnings += dropped
    if hints.weight:
        table, weights = read_weights(table, hints.weight, decimal)
        table, dropped = _without(table, weights == 0, f"the weight 0 in {hints.weight!r}", "")
        warnings += dropped
    table, rare = without_rare_classes(table, hints, data.rare_classes)
    return table, (*warnings, *rare)


def _without(
    table: pa.Table, rows: Mask | None, lack: str, more: str
) -> tuple[pa.Table, tuple[str, ...]]:
    """Return the table without some rows, and a warning that says which lack what."""
    if rows is None or not rows.any():
        return table, ()
    numbers = (np.flatnonzero(rows) + 1).tolist()
    named = ", ".join(map(str, numbers[:SHOWN_ROWS])) + (", …" if len(numbers) > SHOWN_ROWS else "")
    subject = "1 row has" if len(numbers) == 1 else f"{len(numbers):,} rows have"
    warning = f"{subject} {lack}, left out: {named} below the header{more}"
    return rows_where(table, ~rows), (warning,)
