"""Parquet files."""

import logging
import re
from pathlib import Path

import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.tables.column_types import tidy_texts
from lightmodel.tables.failures import reported
from lightmodel.tables.names import named_columns
from lightmodel.tables.plain import plain_types

_log = logging.getLogger(__name__)
_ROW_LABELS = re.compile(r"__index_level_\d+__")  # pandas' name for an index without a name


def read(path: Path, options: DataSection) -> pa.Table:
    """Read a Parquet file; see `TableFormat` for what holds of the table.

    Raises:
        DataError: it is damaged, or holds nested values.
    """
    from pyarrow import parquet  # takes a while, and serving CSV does without

    with reported(path.name, "a Parquet file"):
        with parquet.ParquetFile(path) as file:
            table = file.read()
        table.validate(full=True)  # Parquet does not say that its texts are UTF-8
        table = _without_labels(table, path.name)
        table = named_columns(plain_types(table, path.name), path.name)
        return tidy_texts(table, ("", *options.missing))


def _without_labels(table: pa.Table, file: str) -> pa.Table:
    labels = [name for name in table.column_names if _ROW_LABELS.fullmatch(name)]
    if labels:
        _log.info("%s: pandas' unnamed row labels are left out", file)
        table = table.drop_columns(labels)
    return table.rename_columns([name.strip() for name in table.column_names])
