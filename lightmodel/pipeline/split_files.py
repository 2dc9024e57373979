"""Writing and reading the two tables of a split."""

from pathlib import Path
from typing import Protocol

import pyarrow as pa

from lightmodel.contract.columns import Contract


class SplitFiles(Protocol):
    """The project's own files: the same table gives the same bytes, and reads back equal.

    A file can be posted to the service as it lies.
    """

    @property
    def suffix(self) -> str:
        """Give the ending of a new file: "csv" or "parquet"."""
        ...

    def write(self, table: pa.Table, path: Path) -> None:
        """Write a new file, whatever the path's own ending."""
        ...

    def read(self, path: Path, contract: Contract) -> pa.Table:
        """Read a file by its ending, in the contract's types."""
        ...
