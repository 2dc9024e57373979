"""Column names: all there, all distinct, and no column that is only an export's row number."""

import logging
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from lightmodel.errors import ContractViolation, DataError, Violation

_log = logging.getLogger(__name__)


def check_names(names: Sequence[str], file: str) -> None:
    """Refuse names that stand twice, with all of them.

    Raises:
        ContractViolation: some name does.
    """
    counts = Counter(name for name in names if name)
    repeated = [
        Violation(name, "duplicate_column", f"stands in the header {count} times")
        for name, count in counts.items()
        if count > 1
    ]
    if repeated:
        raise ContractViolation(
            repeated, what=file, hint="give each column a name of its own, or remove the copies"
        )


def named_columns(table: pa.Table, file: str) -> pa.Table:
    """Leave out what export programs add: empty columns at the end, row numbers at the beginning.

    Raises:
        DataError: some other column has no name.
    """
    names = table.column_names
    first, last = 0, len(names)
    while last > 1 and not names[last - 1] and _is_empty(table.column(last - 1)):
        last -= 1
    if last > 1 and not names[0] and _counts_rows(table.column(0)):
        _log.info("%s: its first column only numbers the rows and is left out", file)
        first = 1
    unnamed = [str(at + 1) for at in range(first, last) if not names[at]]
    if unnamed:
        raise DataError(
            f"{file}: {len(unnamed)} of {last} columns ha{'ve' if len(unnamed) > 1 else 's'} "
            f"no name (counted from 1: {', '.join(unnamed[:10])}{', …' if unnamed[10:] else ''})",
            hint="name them in the file, or name all columns with data.columns",
        )
    if last - first < len(names):
        table = table.select(range(first, last))
    return table


def _is_empty(values: pa.ChunkedArray) -> bool:
    return bool(values.null_count == len(values))


def _counts_rows(values: pa.ChunkedArray) -> bool:
    """Say whether a column holds 0, 1, 2 … or 1, 2, 3 and so on."""
    if not pa.types.is_integer(values.type) or values.null_count or not len(values):
        return False
    numbers = values.to_numpy()
    first = numbers[0]
    return first in (0, 1) and np.array_equal(numbers, np.arange(first, first + len(numbers)))
