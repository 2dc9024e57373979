"""Failures of the libraries that read files, told in our own words."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from lightmodel.errors import DataError

REMAKE = "fetch or export the file again; if it opens elsewhere, save it as CSV or Parquet"


@contextmanager
def reported(name: str, kind: str) -> Iterator[None]:
    """Turn a library's failure into a DataError; its own message may quote cells and is dropped.

    Args:
        name: of the file, without its folder.
        kind: what the file was taken for, with its article: "a Parquet file".

    Raises:
        DataError: the block failed at reading.
    """
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file") from None
    except MemoryError:
        raise
    except (pa.ArrowException, UnicodeError, OSError, EOFError) as error:
        message = f"{name} cannot be read as {kind}: it is damaged, cut short, or something else"
        if isinstance(error, PermissionError | IsADirectoryError):
            message = f"{name} cannot be opened: {error.strerror or type(error).__name__}"
        raise DataError(message, hint=REMAKE) from None
