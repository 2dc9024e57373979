"""Reading tables that people keep in one kind of file or another."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.contract.columns import Dialect


@dataclass(frozen=True)
class TableRead:
    """A table, and how it was written."""

    table: pa.Table
    dialect: Dialect


class TableFormat(Protocol):
    """Reads one file of one format.

    The answer has plain types only: int64, float64, string, bool, date32 and timestamp[us] without
    a zone. Texts have no blanks around them; one that is empty or among `options.missing` is null.
    A column that holds nothing is float64. Column names are as `cells.name_of` writes them: that they
    are there and distinct is checked by who asks.

    The same bytes give the same table. Whatever the bytes, nothing is raised but a LightModelError
    whose message names the file without its folder and quotes no cell: DataError when the bytes
    are no such table, ConfigError when an option makes no sense.
    """

    def __call__(self, path: Path, options: DataSection) -> TableRead:
        """Read the file at `path`."""
        ...
