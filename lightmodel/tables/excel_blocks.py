"""Read an Excel body as blocks of validated rows; it imports Arrow, which is slow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lightmodel.contract.cells import normalize_name
from lightmodel.contract.columns import Dialect
from lightmodel.errors import DataError
from lightmodel.tables.base import refuse_duplicates
from lightmodel.tables.blocks import Block
from lightmodel.tables.header_names import is_title, no_header, positional_names
from lightmodel.tables.preamble import are_units
from lightmodel.tables.reading import drop_export_artefacts
from lightmodel.tables.row_rules import RowRules
from lightmodel.tables.sheets import SheetRows, cropped, sheet_table
from lightmodel.tables.table_blocks import blocks_of
from lightmodel.tables.workbooks import AUTO, WorkbookLimits, read_sheet

_BATCH_ROWS = 1 << 14


@dataclass(frozen=True)
class _Layout:
    """The rows from the header on, the names of their columns, and the rows of the table."""

    rows: SheetRows
    names: tuple[str, ...]
    data: range


@dataclass(frozen=True)
class ExcelBlocks:
    """Reads workbooks for one contract, by the dialect of its training table."""

    rules: RowRules
    dialect: Dialect
    drops_blank: bool = False  # rows in which no cell has a value

    def read(self, path: Path, limits: WorkbookLimits) -> Iterator[Block]:
        """Return blocks of rows of the sheet that training read, or else the first one with rows.

        Raises:
            DataError: the workbook is damaged, or the sheet is no table.
            ContractViolation: columns are absent or duplicated.
            TooLarge: it exceeds the limits.
        """
        sheet = read_sheet(path, limits, self.dialect.sheet or AUTO, optional=True)
        layout = self._layout(cropped(sheet.rows))
        if not layout.data:
            raise DataError(f"the sheet {sheet.name!r} holds a header and no rows below it")
        refuse_duplicates(list(layout.names), path.name)
        read = sheet_table(layout.rows, layout.names, layout.data, self.dialect, path.name)
        table = drop_export_artefacts(read.table, path.name)
        numbers: list[int] = []
        if self.drops_blank:
            first = layout.rows.start + layout.data.start
            above = sheet.numbers[first - 1] if layout.data.start else sheet.numbers[first] - 1
            numbers = [number - above for number in sheet.numbers[first:]]
        return blocks_of(table, self.rules, _BATCH_ROWS, read.lost, numbers)

    def _layout(self, candidates: list[SheetRows]) -> _Layout:
        """Find the header by the names of the contract; without one, the columns are those of training."""
        for rows in candidates:
            names = tuple(map(normalize_name, rows.texts(0)))
            if self.rules.places.keys() <= set(names):
                return self._below(rows, names)
            if self.dialect.header and names == self.dialect.header:
                return self._below(rows, self.dialect.columns)
        contract = self.rules.contract
        for number, rows in enumerate(candidates[: self.dialect.skip_rows + 1]):
            names = positional_names(rows.last - rows.first, contract, self.dialect)
            is_last = number == self.dialect.skip_rows
            if names and (is_last or not is_title(rows.texts(0), self.rules, self.dialect)):
                return _Layout(rows, names, range(len(rows)))
        rows = candidates[0]
        names = tuple(map(normalize_name, rows.texts(0)))
        if self.rules.known.isdisjoint(names) and (
            error := no_header(names, contract, self.dialect)
        ):
            raise error
        return self._below(rows, names)

    def _below(self, rows: SheetRows, names: tuple[str, ...]) -> _Layout:
        """Return the rows below a header, and below the units."""
        start = 1
        if self.dialect.units and len(rows) > 1:
            numbers = {column.name for column in self.rules.numeric}
            places = [at for at, name in enumerate(names) if name in numbers]
            start += are_units(rows.texts(1), self.dialect.units, places)
        return _Layout(rows, names, range(start, len(rows)))
