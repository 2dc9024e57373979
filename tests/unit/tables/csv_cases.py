"""Helpers of the CSV tests: write a file, and read it."""

from pathlib import Path

import pyarrow as pa
import pytest

from lightmodel.config import DataSection
from lightmodel.errors import DataError
from lightmodel.tables.reading import read_table

# the format of the UCI file, shortened
ADULT = """39, State-gov, 77516, Bachelors, <=50K
50, Self-emp, 83311, Bachelors, <=50K
38, ?, 215646, HS-grad, >50K
53, State-gov, ?, 11th, >50K
"""
ADULT_COLUMNS = ("age", "work", "weight", "education", "income")


def read(folder: Path, content: str | bytes, **options: object) -> pa.Table:
    """Write `content` to a file and read it as a table."""
    path = folder / "rows.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table([path], DataSection.model_validate(options))


def refusal(folder: Path, content: str | bytes, **options: object) -> DataError:
    """Return the error raised on reading `content`; check that it names the file, not the folder."""
    with pytest.raises(DataError) as caught:
        read(folder, content, **options)
    assert "rows.csv" in caught.value.message
    assert folder.name not in caught.value.message + caught.value.hint
    return caught.value


def types(table: pa.Table) -> dict[str, str]:
    """Return the columns' types by name, as short text."""
    return dict(zip(table.column_names, map(str, table.schema.types), strict=True))
