"""Errors of libraries are translated into errors of the project."""

import pyarrow as pa
import pytest

from lightmodel.errors import ConfigError, DataError
from lightmodel.tables.base import translate_errors


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (pa.ArrowInvalid("in row 3: Elm Street"), "rows.csv cannot be read as CSV"),
        (OSError("Truncated compressed stream"), "rows.csv cannot be read as CSV"),
        (UnicodeDecodeError("utf-8", b"Elm Street", 0, 1, "bad"), "rows.csv cannot be read as CSV"),
        (FileNotFoundError(2, "No such file"), "rows.csv: there is no such file"),
        (PermissionError(13, "Permission denied"), "rows.csv cannot be opened: Permission denied"),
    ],
)
def test_a_failure_names_the_file_and_quotes_no_cell(failure: Exception, words: str) -> None:
    with pytest.raises(DataError) as caught, translate_errors("rows.csv", "CSV"):
        raise failure

    assert words in caught.value.message
    assert "Elm" not in caught.value.message + caught.value.hint
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("failure", [MemoryError(), ConfigError("set wrongly"), KeyError("a bug")])
def test_other_errors_are_not_translated(failure: Exception) -> None:
    with pytest.raises(type(failure)) as caught, translate_errors("rows.csv", "CSV"):
        raise failure

    assert caught.value is failure
