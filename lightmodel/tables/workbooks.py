"""Read the cells of an Excel workbook (.xlsx) with openpyxl, within limits that hold while it is read."""

import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lightmodel.errors import ConfigError, DataError, LightModelError, TooLarge

Row = tuple[object, ...]

AUTO = "auto"  # the first visible sheet that is not empty
LOST = object()  # the value of a formula whose result is not in the file
_BYTES_PER_CELL = 64  # of a number as an object, in a row, in a column and in Arrow
_BYTES_PER_TAG = 25  # of shared strings; each has at least four tags
_TAGS_PER_CELL = 8
_CHUNK = 64 << 10
_SHOWN = 10  # names of sheets in a message
_MAX_PART, _MAX_PART_TAGS = 16 << 20, 200_000  # Excel has at most 65,490 styles and the like


@dataclass(frozen=True)
class WorkbookLimits:
    """What a workbook may cost to read.

    Attributes:
        bytes: of memory.
        columns: the number of the last column that is not empty.
    """

    bytes: int = 1 << 62
    columns: int = 1 << 14


NO_LIMITS = WorkbookLimits()


@dataclass(frozen=True)
class Sheet:
    """The rows of a sheet that are not empty, without their empty last cells.

    Attributes:
        name: of the sheet.
        rows: their values; `LOST` stands for a formula without a value.
        numbers: of the rows, from 1.
        others: the names of the other sheets.
    """

    name: str
    rows: list[Row]
    numbers: list[int]
    others: tuple[str, ...] = ()


def read_sheet(
    path: Path, limits: WorkbookLimits, wanted: str = AUTO, *, optional: bool = False
) -> Sheet:
    """Return the rows of a sheet, with the values that formulas had when saved.

    Args:
        path: of the workbook.
        limits: of what it may cost.
        wanted: the sheet's name, or its number among the visible ones, from 1; "auto": the first
            visible one that is not empty.
        optional: whether "auto" holds where there is no such sheet.

    Raises:
        ConfigError: openpyxl is not installed.
        DataError: the file is damaged, or has no such sheet.
        TooLarge: it exceeds the limits.
    """
    try:
        import openpyxl  # noqa: F401 — slow to import, and only few tables are workbooks
    except ImportError:
        raise ConfigError(
            "openpyxl, which reads Excel files, is not installed",
            hint="pip install openpyxl, or save the table as CSV",
        ) from None
    try:
        with warnings.catch_warnings(), _MeteredArchive(path, limits) as archive:
            warnings.simplefilter("ignore")  # about styles and extensions, which do not matter here
            return _Workbook(archive, path.name).read(wanted, optional=optional)
    except (MemoryError, LightModelError):
        raise
    except Exception as error:  # noqa: BLE001 — openpyxl raises arbitrary errors for damaged files
        raise DataError(
            f"{path.name} cannot be read as an Excel workbook ({type(error).__name__})",
            hint="open it in Excel and save it again, or save it as CSV",
        ) from None


class _MeteredFile:
    """A part of a workbook; it refuses to go on when too many tags were read since the last reset."""

    def __init__(self, part: IO[bytes], most_tags: int) -> None:
        self._part, self._most_tags, self._tags = part, most_tags, 0

    def __enter__(self) -> "_MeteredFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._part.close()

    def reset(self, most_tags: int) -> None:
        self._most_tags, self._tags = most_tags, 0

    def read(self, size: int = -1) -> bytes:
        data = self._part.read(size if 0 <= size < _CHUNK else _CHUNK)
        self._tags += data.count(b"<")
        if self._tags > self._most_tags:
            raise _too_many_cells()
        return data


class _MeteredArchive(zipfile.ZipFile):
    """The archive of a workbook: openpyxl reads small parts at once, and opens the large ones."""

    def __init__(self, path: Path, limits: WorkbookLimits) -> None:
        self._parts: list[_MeteredFile] = []
        self.limits = limits
        super().__init__(path)

    def open(self, name: Any, *_: object, **__: object) -> Any:  # noqa: ANN401 — as in zipfile
        part = _MeteredFile(super().open(name), self.limits.bytes // _BYTES_PER_TAG)
        self._parts.append(part)
        return part

    def close(self) -> None:
        # openpyxl leaves a damaged sheet open, and an archive with open parts keeps its file open.
        for part in self._parts:
            part.close()
        super().close()

    def read(self, name: Any, *_: object) -> bytes:  # noqa: ANN401 — as in zipfile
        with super().open(name) as part:
            data = part.read(_MAX_PART + 1)
        if len(data) > _MAX_PART or data.count(b"<") > _MAX_PART_TAGS:
            raise TooLarge("a part of the workbook that holds no cells is too large")
        return data


class _Workbook:
    """A workbook, of which only the sheets that are asked for are read."""

    def __init__(self, archive: _MeteredArchive, file: str) -> None:
        from openpyxl.reader.excel import ExcelReader

        package: Any = archive.fp
        reader: Any = ExcelReader(package, read_only=True, data_only=True, keep_links=False)
        reader.archive = archive  # instead of the unlimited one that it opened
        reader.read()
        self._file, self._limits, self._cells = file, archive.limits, 0
        self._book, self._texts = reader.wb, reader.shared_strings
        self._sheets: dict[str, Any] = {sheet.title: sheet for sheet in reader.wb.worksheets}
        self._visible = [
            name for name, sheet in self._sheets.items() if sheet.sheet_state == "visible"
        ]

    def read(self, wanted: str, *, optional: bool) -> Sheet:
        """Return the rows of a sheet; see `read_sheet`."""
        named = wanted
        if wanted not in self._sheets and wanted.isdecimal():
            named = dict(enumerate(self._visible, start=1)).get(int(wanted), "")
        if named in self._sheets and (sheet := self._sheet(named)).rows:
            return sheet
        if wanted != AUTO and not optional:
            raise self._absent(wanted) if named not in self._sheets else self._empty(named)
        for name in self._visible:
            if (sheet := self._sheet(name)).rows:
                return sheet
        raise self._empty(*self._visible)

    def _sheet(self, name: str) -> Sheet:
        pairs = list(self._rows(self._sheets[name]))
        others = tuple(other for other in self._sheets if other != name)
        return Sheet(name, [row for _, row in pairs], [number for number, _ in pairs], others)

    def _rows(self, sheet: Any) -> Iterator[tuple[int, Row]]:  # noqa: ANN401 — openpyxl has no types
        from openpyxl.worksheet._reader import DATA_TAG, ROW_TAG
        from openpyxl.xml.functions import iterparse

        limits = self._limits
        with sheet._get_source() as source:
            parser = _parser(source, self._book, self._texts)
            source.reset(_TAGS_PER_CELL * limits.columns + _CHUNK)
            for _, element in iterparse(source):
                if element.tag == DATA_TAG:
                    return
                if element.tag == ROW_TAG:
                    number, found = parser.parse_row(element)
                    element.clear()
                    row = _row(found, limits.columns)
                    self._cells += max(len(found), len(row), 1)
                    if self._cells > limits.bytes // _BYTES_PER_CELL:
                        raise _too_many_cells()
                    source.reset(_TAGS_PER_CELL * limits.columns + _CHUNK)
                    if row:
                        yield int(number), row

    def _absent(self, wanted: str) -> DataError:
        return DataError(
            f"{self._file} has no sheet {wanted!r}; it has {self._listed(self._sheets)}",
            hint="set data.sheet to one of them, or to auto",
        )

    def _empty(self, *names: str) -> DataError:
        hidden = [name for name in self._sheets if name not in self._visible]
        hint = f"data.sheet reads a hidden one: {self._listed(hidden)}" if hidden else ""
        what = f"the sheet {self._listed(names)}" if len(names) == 1 else "every visible sheet"
        return DataError(f"{what} of {self._file} is empty", hint=hint)

    def _listed(self, names: Iterable[str]) -> str:
        named = list(names)
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        return ", ".join(map(repr, named[:_SHOWN])) + more


def _parser(source: _MeteredFile, book: Any, texts: Any) -> Any:  # noqa: ANN401 — openpyxl has no types
    from openpyxl.worksheet._reader import FORMULA_TAG, VALUE_TAG, WorkSheetParser

    class Parser(WorkSheetParser):
        def parse_cell(self, element: Any) -> dict[str, Any]:  # noqa: ANN401 — openpyxl has no types
            cell: dict[str, Any] = super().parse_cell(element)
            if cell["value"] is None and element.find(FORMULA_TAG) is not None:
                is_text = element.get("t") == "str" and element.find(VALUE_TAG) is not None
                cell["value"] = None if is_text else LOST
            return cell

    formats = {
        "date_formats": book._date_formats,
        "timedelta_formats": book._timedelta_formats,
    }
    return Parser(source, texts, data_only=True, epoch=book.epoch, **formats)


def _row(cells: list[dict[str, Any]], columns: int) -> Row:
    """Return a row up to its last cell that is not empty."""
    filled = [cell for cell in cells if not is_blank(cell["value"])]
    if not filled:
        return ()
    last = max(cell["column"] for cell in filled)
    if last > columns:
        raise TooLarge(f"the sheet has more than {columns:,} columns (serve.max_columns)")
    row: list[object] = [None] * last
    for cell in filled:
        row[cell["column"] - 1] = cell["value"]
    return tuple(row)


def is_blank(value: object) -> bool:
    """Return whether a cell is empty."""
    return value is None or (isinstance(value, str) and not value.strip())


def _too_many_cells() -> TooLarge:
    return TooLarge(
        "the workbook has too many cells (serve.max_buffered_mb)",
        hint="save it as CSV, which is read as it arrives",
    )
