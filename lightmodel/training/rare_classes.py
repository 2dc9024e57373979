"""Drop or merge classes of a single row, which can be either in training or in testing, but not in both."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import canonical
from lightmodel.contract.hints import ColumnHints
from lightmodel.contract.task_inference import has_classes
from lightmodel.tables.mapped import rows_where

MERGED = "other"


def without_rare_classes(
    table: pa.Table, hints: ColumnHints, rule: str
) -> tuple[pa.Table, tuple[str, ...]]:
    """Return the table after `data.rare_classes`, and a warning about the rows concerned."""
    if rule == "stop" or not has_classes(table[hints.target], hints):
        return table, ()
    change = drop_rare_classes if rule == "drop" else merge_rare_classes
    table, warning = change(table, hints.target)
    return table, (warning,) if warning else ()


def drop_rare_classes(table: pa.Table, target: str) -> tuple[pa.Table, str]:
    """Return the table without the only row of a class, and a warning; "" if there is none."""
    values = table[target]
    rare = _single_values(values)
    if not len(rare):
        return table, ""
    kept = ~pc.is_in(values, value_set=rare).to_numpy()
    return rows_where(table, kept), f"the target {target!r}: dropped {_rows(len(rare))}"


def merge_rare_classes(table: pa.Table, target: str) -> tuple[pa.Table, str]:
    """Return the table with the only row of a class in another class, and a warning; "" if there is none.

    Texts become the class `other`; a number becomes the nearest label that has more rows, the lower
    one of two. A single row that finds no other is dropped.
    """
    values = table[target]
    rare = _single_values(values)
    if not len(rare):
        return table, ""
    is_rare = pc.is_in(values, value_set=rare)
    merged, into = (
        (_in_other(values, is_rare), f"the class {MERGED!r}")
        if pa.types.is_string(values.type)
        else (_in_nearest(values, is_rare), "the nearest label")
    )
    position = table.column_names.index(target)
    table, left = drop_rare_classes(table.set_column(position, target, merged), target)
    if left:
        return table, left
    return table, f"the target {target!r}: merged {_rows(len(rare))}, into {into}"


def _single_values(values: pa.ChunkedArray) -> pa.Array:
    """Return the values of a single row; texts of one canonical form are one value."""
    counts = values.drop_null().value_counts()
    distinct = counts.field("values")
    if not pa.types.is_string(values.type):
        return distinct.filter(pc.equal(counts.field("counts"), 1))
    forms = [canonical(text) for text in distinct.to_pylist()]
    rows = Counter[str]()
    for form, count in zip(forms, counts.field("counts").to_pylist(), strict=True):
        rows[form] += count
    return distinct.filter(pa.array([rows[form] == 1 for form in forms], pa.bool_()))


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count > 1 else ''}, each the only one of its class"


def _in_other(values: pa.ChunkedArray, is_rare: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(is_rare, pa.scalar(MERGED, values.type), values)


def _in_nearest(values: pa.ChunkedArray, is_rare: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers or booleans with each rare one replaced; unchanged if all of them are rare."""
    frequent = values.filter(pc.invert(is_rare)).drop_null().unique().sort()
    if pa.types.is_boolean(values.type) or not len(frequent):
        return values
    labels = frequent.to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(is_rare.to_numpy(zero_copy_only=False))
    cells = values.to_pylist()
    for row in rows.tolist():
        cells[row] = frequent[int(np.abs(labels - cells[row]).argmin())].as_py()
    return pa.chunked_array([pa.array(cells, values.type)])
