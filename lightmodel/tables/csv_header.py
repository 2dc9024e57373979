"""Read the header of a CSV in a request: by the names of the contract, or by the order of training."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain

from lightmodel.contract.cells import normalize_name
from lightmodel.contract.columns import Dialect
from lightmodel.errors import DataError, TooLarge
from lightmodel.tables.byte_stream import Chunks
from lightmodel.tables.header_names import is_title, no_header, positional_names
from lightmodel.tables.preamble import MOST_TITLES, are_units, separator_line
from lightmodel.tables.row_readers import grammar_of
from lightmodel.tables.row_rules import RowRules
from lightmodel.tables.sniff import fit_to_width, sample_rows

LONGEST_ROW = 8 << 20
SAMPLE_ROWS = 20
SAMPLE = 64 << 10
_DELIMITERS = (",", ";", "\t", "|", " ")
_QUOTED_FACTOR = 2  # delimiters in quotes separate nothing
_LONGEST_SEPARATOR_LINE = 16


@dataclass(frozen=True)
class CsvHeader:
    """Column names, delimiter and quote of a CSV, and `length`, the bytes before its first data row."""

    names: tuple[str, ...]
    delimiter: str
    quote: str
    length: int


@dataclass(frozen=True)
class _Row:
    """A row of a text: its cells as names, and where it begins and ends."""

    names: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True)
class HeaderReader:
    """Reads the header of a CSV for one contract, by the dialect of its training table."""

    rules: RowRules
    dialect: Dialect
    columns: int  # the maximum in a header

    def read(self, beginning: bytes) -> CsvHeader:
        """Return the header: the first row, or one below titles, that has the contract's names.

        Raises:
            DataError: there is no header, and the columns are not those of training.
            TooLarge: it has too many columns.
        """
        above = separator_line(beginning[:_LONGEST_SEPARATOR_LINE].decode(errors="ignore"))
        candidates = self._candidates(beginning, above.delimiter)
        header = self._choose(beginning, candidates, above.length)
        if len(header.names) > self.columns:
            raise TooLarge(
                f"the header has {len(header.names):,} columns, and serve.max_columns is {self.columns:,}"
            )
        if not self.dialect.units:
            return header
        below = self._row(beginning, header.delimiter, header.quote, header.length)
        numbers = {column.name for column in self.rules.numeric}
        places = [at for at, name in enumerate(header.names) if name in numbers]
        is_skipped = are_units(below.names, self.dialect.units, places)
        return replace(header, length=below.end) if is_skipped else header

    def _choose(
        self, beginning: bytes, candidates: Sequence[tuple[str, str]], start: int
    ) -> CsvHeader:
        """Choose the delimiter that yields the most names of the contract's columns."""
        for find in (self._first, self._below_titles, self._by_order):
            for mark, quote in candidates:
                if header := find(beginning, mark, quote, start):
                    return header
        firsts = [
            self._fitted(beginning, *pair, self._row(beginning, *pair, start))
            for pair in candidates
        ]
        known = self.rules.known
        best = max(firsts, key=lambda header: len(known & set(header.names)))
        if not known & set(best.names):
            first = self._row(beginning, best.delimiter, best.quote, start).names
            if error := no_header(first, self.rules.contract, self.dialect):
                raise error
        return best

    def _candidates(self, beginning: bytes, separator: str) -> list[tuple[str, str]]:
        """Return pairs of a delimiter and a quote to try, that of a `sep=` line or the dialect's first."""
        dialect = self.dialect
        quote = '"' if dialect.quote == "'" and b'"' in beginning else dialect.quote
        first = [mark for mark in (separator, dialect.delimiter) if mark]
        quotes = dict.fromkeys((*first, *_DELIMITERS), '"')
        if dialect.delimiter:
            quotes[dialect.delimiter] = quote
        return list(quotes.items())

    def _has_all(self, names: tuple[str, ...]) -> bool:
        return self.rules.places.keys() <= set(names)

    def _first(self, beginning: bytes, delimiter: str, quote: str, start: int) -> CsvHeader | None:
        """Return the first row as the header if it has the names."""
        row = self._row(beginning, delimiter, quote, start)
        return self._named(beginning, delimiter, quote, row)

    def _below_titles(
        self, beginning: bytes, delimiter: str, quote: str, start: int
    ) -> CsvHeader | None:
        """Return the first row with all names, if that is one of the next; else None."""
        row = self._row(beginning, delimiter, quote, start)
        with suppress(TooLarge):  # of a row that is no header
            for _ in range(MOST_TITLES):
                if row.end >= len(beginning):
                    break
                row = self._row(beginning, delimiter, quote, row.end)
                if header := self._named(beginning, delimiter, quote, row):
                    return header
        return None

    def _by_order(
        self, beginning: bytes, delimiter: str, quote: str, start: int
    ) -> CsvHeader | None:
        """Return the names by the order of training, if the first rows are data of as many columns."""
        if not self.dialect.columns:
            return None
        row = self._row(beginning, delimiter, quote, start)
        for _ in range(self.dialect.skip_rows):
            if not is_title(row.names, self.rules, self.dialect):
                break
            row = self._row(beginning, delimiter, quote, row.end)
        names = self._positional(row.names, delimiter)
        return CsvHeader(names, delimiter, quote, row.start) if names else None

    def _named(self, beginning: bytes, delimiter: str, quote: str, row: _Row) -> CsvHeader | None:
        """Return a row as the header if it has the contract's names, or those that were replaced."""
        if self._has_all(row.names):
            return self._fitted(beginning, delimiter, quote, row)
        if self.dialect.header and row.names == self.dialect.header:
            return CsvHeader(self.dialect.columns, delimiter, quote, row.end)
        return None

    def _positional(self, cells: tuple[str, ...], delimiter: str) -> tuple[str, ...]:
        """Return the names of cells by the order of training; () if they do not fit."""
        if len(cells) == 1 and delimiter != self.dialect.delimiter:
            return ()  # any line is one cell where the delimiter is another
        return positional_names(len(cells), self.rules.contract, self.dialect)

    def _row(self, beginning: bytes, delimiter: str, quote: str, start: int) -> _Row:
        """Read the first row from `start` on."""
        start, end = grammar_of(delimiter, quote).first_row(beginning, start)
        row = beginning[start:end]
        most = _QUOTED_FACTOR * self.columns
        if row.count(delimiter.encode()) > most:  # before there are objects
            raise TooLarge(f"the header has over {self.columns:,} columns (serve.max_columns)")
        names = tuple(map(normalize_name, _cells(row, delimiter, quote)))
        while len(names) > 1 and delimiter == " " and not names[-1]:
            names = names[:-1]
        return _Row(names, start, end)

    def _fitted(self, beginning: bytes, delimiter: str, quote: str, row: _Row) -> CsvHeader:
        """Return a row as the header, with as many names as the rows below have cells."""
        names = row.names
        start, end = grammar_of(delimiter, quote).first_row(beginning, row.end)
        first = beginning[start:end]
        if delimiter != " " and first.count(delimiter.encode()) + 1 != len(names):
            below = beginning[row.end : row.end + SAMPLE].decode(errors="ignore")
            names = fit_to_width(
                names, sample_rows(below, delimiter, quote, complete=True)[:SAMPLE_ROWS]
            )
        return CsvHeader(names, delimiter, quote, row.end)


def peek_header(chunks: Chunks) -> tuple[bytes, Chunks]:
    """Read until there is a whole line; return what was read, and all chunks including it.

    Raises:
        DataError: there is none.
        TooLarge: it is longer than 8 MB.
    """
    held = b""
    for chunk in chunks:
        held += chunk
        if held.strip() and (b"\n" in held.lstrip() or b"\r" in held.lstrip()):
            break
        if len(held) > LONGEST_ROW:
            raise TooLarge(f"the first line is longer than {LONGEST_ROW >> 20} MB")
    if not held.strip():
        raise DataError("the body is empty", hint="send a header and at least one row")

    return held, chain([held], chunks)


def _cells(row: bytes, delimiter: str, quote: str) -> list[str]:
    """Split one row into cells; return none if a cell exceeds 128 KB: it is not a header then."""
    if delimiter == " ":
        row = grammar_of(delimiter, quote).regularize(row)
    rows = sample_rows(row.decode(errors="ignore"), delimiter, quote, complete=True)
    return rows[0] if rows else []
