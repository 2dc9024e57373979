"""Name the columns of a request without a header by the order of training, or refuse it."""

import re
from collections.abc import Sequence

from lightmodel.contract.columns import ColumnType, Contract, Dialect, Role
from lightmodel.errors import DataError
from lightmodel.tables.preamble import is_sparse
from lightmodel.tables.row_rules import RowRules
from lightmodel.tables.sniff import is_number

_DIGIT = re.compile(r"\d")
_SHOWN = 20


def positional_names(cells: int, contract: Contract, dialect: Dialect) -> tuple[str, ...]:
    """Return the names of columns without a header, in the order of training; () if they do not fit.

    The target may be left out where every other column is a feature: only then is it clear which is.
    """
    columns = dialect.columns
    if cells == len(columns):
        return columns
    targets = {column.name for column in contract.columns if column.role is Role.TARGET}
    others = tuple(name for name in columns if name not in targets)
    is_clear = cells == len(others) == len(columns) - 1 and set(others) == {*contract.feature_names}
    return others if is_clear else ()


def is_title(cells: Sequence[str], rules: RowRules, dialect: Dialect) -> bool:
    """Return whether a row above rows without a header is a title, as there was one in training.

    It is sparse, or of another width, or has words without a digit where all others have numbers.
    """
    names = positional_names(len(cells), rules.contract, dialect)
    if not names or is_sparse(cells, len(names)):
        return True
    numbers = {one.name for one in rules.numeric if one.type is not ColumnType.BOOLEAN}
    texts = [cell for name, cell in zip(names, cells, strict=True) if name in numbers and cell]
    missing = {*dialect.na_values}
    return bool(texts) and not any(_DIGIT.search(cell) or cell in missing for cell in texts)


def no_header(first: Sequence[str], contract: Contract, dialect: Dialect) -> DataError | None:
    """Return the error for a table without a header, whose first row has a number for a name."""
    if not any(map(is_number, first)):
        return None
    names = contract.feature_names
    expected = ", ".join(map(repr, names[:_SHOWN])) + (", …" if names[_SHOWN:] else "")
    if dialect.columns:
        return DataError(
            f"the first row names none of the model's columns, and has {len(first)} cells: without a "
            f"header, rows have the {len(dialect.columns)} cells of the training table",
            hint=f"send these columns, in its order, or a header; the features are {expected}",
        )
    return DataError(
        f"there is no header: the first row names none of the model's columns, which are {expected}",
        hint="write the names of the columns into the first row; their order does not matter",
    )
