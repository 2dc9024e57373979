"""The port that turns a text of rows into numbers."""

from typing import Protocol

from lightmodel.contract.cells import Layout, RawRows


class RowReader(Protocol):
    """Reads the whole rows at the beginning of a UTF-8 text.

    Blank lines are no rows. A row ends with LF, CR or CRLF, outside quotes; a quote within quotes is
    doubled. Blanks around cells do not count. Whatever the text, nothing is raised but DataError, and
    the same text gives the same bits from every reader.
    """

    def __call__(self, layout: Layout, text: bytes, *, final: bool) -> RawRows:
        """Read rows; `final` says that the text ends here, so that its last row is whole too.

        Raises:
            DataError: a quote is never closed.
        """
        ...
