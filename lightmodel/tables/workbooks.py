"""Read the cells of an Excel workbook (.xlsx) with openpyxl, within limits that hold while it is read."""

import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lightmodel.errors import ConfigError, DataError, LightModelError, TooLarge

Row = tuple[object, ...]

LOST = object()  # the value of a formula whose result is not in the file
_BYTES_PER_CELL = 64  # of a number as an object, in a row, in a column and in Arrow
_BYTES_PER_TAG = 25  # of shared strings; each has at least four tags
_TAGS_PER_CELL = 8
_CHUNK = 64 << 10
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


def read_cells(path: Path, limits: WorkbookLimits) -> list[Row]:
    """Return the rows of the first sheet that are not empty, with the values that formulas had when saved.

    Rows lack their empty last cells. `LOST` stands for a formula without a value.

    Raises:
        ConfigError: openpyxl is not installed.
        DataError: the file is damaged.
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
            return list(_rows(archive))
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


def _rows(archive: _MeteredArchive) -> Iterator[Row]:
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.worksheet._reader import DATA_TAG, ROW_TAG
    from openpyxl.xml.functions import iterparse

    package: Any = archive.fp
    reader: Any = ExcelReader(package, read_only=True, data_only=True, keep_links=False)
    reader.archive = archive  # instead of the unlimited one that it opened
    reader.read()
    sheet = reader.wb.worksheets[0]
    limits, cells = archive.limits, 0
    with sheet._get_source() as source:
        parser = _parser(source, reader.wb, reader.shared_strings)
        source.reset(_TAGS_PER_CELL * limits.columns + _CHUNK)
        for _, element in iterparse(source):
            if element.tag == DATA_TAG:
                return
            if element.tag == ROW_TAG:
                _, found = parser.parse_row(element)
                element.clear()
                row = _row(found, limits.columns)
                cells += max(len(found), len(row), 1)
                if cells > limits.bytes // _BYTES_PER_CELL:
                    raise _too_many_cells()
                source.reset(_TAGS_PER_CELL * limits.columns + _CHUNK)
                if row:
                    yield row


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
