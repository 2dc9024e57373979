"""Parquet files."""

import logging
import re
from pathlib import Path

import pyarrow as pa

from lightmodel.adapters.formats.cells import tidy_texts
from lightmodel.adapters.formats.failures import reported
from lightmodel.adapters.formats.names import named_columns
from lightmodel.adapters.formats.plain import plain_types
from lightmodel.config import DataSection

_log = logging.getLogger(__name__)
_ROW_LABELS = re.compile(r"__index_level_\d+__")  # pandas' name for an index without a name


def read(path: Path, options: DataSection) -> pa.Table:
    """Read a Parquet file; see `TableFormat` for what holds of the table.

    Raises:
        DataError: it is damaged, or holds nested values.
    """
    from pyarrow import parquet  # takes a while, and serving CSV does without

    with reported(path.name, "a Parquet file"), parquet.ParquetFile(path) as file:
        table = file.read()
    labels = [name for name in table.column_names if _ROW_LABELS.fullmatch(name)]
    if labels:
        _log.info("%s: pandas' unnamed row labels are left out", path.name)
        table = table.drop_columns(labels)
    table = table.rename_columns([name.strip() for name in table.column_names])
    return tidy_texts(
        named_columns(plain_types(table, path.name), path.name), ("", *options.missing)
    )
