"""What stands around the header: titles, Excel's `sep=` line, units, and nothing at all."""

import gzip
import io
from collections.abc import Callable, Mapping
from dataclasses import replace

from openpyxl import Workbook

from tests.serve.tables.base import Case, lines, of_text, rows


def titles_and_units() -> Case:
    plain = lines("a;c;v;y", lambda row: f"{row.a};{'uvw'[row.pick]};{row.at % 7};{row.y}")
    header, _, below = plain.partition("\n")
    text = f"Sales, of last year\nmade on 2020-01-31\n\n{header}\n%;;m/s;\n{below}"
    case = of_text(plain, sep=";")
    return replace(case, content=gzip.compress(text.encode()))


def separator_line() -> Case:
    plain = lines("a|c|y", lambda row: f"{row.a}|{'uvw'[row.pick]}|{row.y}", end="\r\n")
    return replace(of_text(plain, sep="|"), content=f"sep=|\r\n{plain}".encode())


def titles_without_header() -> Case:
    names = ["a", "c", "y"]
    plain = lines("", lambda row: f"{row.a},{'uvw'[row.pick]},{row.y}")
    settings = {"data.columns": names, "data.skip_rows": 2, "data.header": "no"}
    case = of_text(plain, settings=settings, header=None, names=names)
    return replace(case, content=f"Sales of last year,,\n\n{plain}".encode())


def sheet() -> Case:
    """The second sheet of three, with a title, units, an empty row, and numbers stored as text."""
    case = of_text(lines("a,n,c,y", lambda row: f"{row.a},{row.at % 7},{'uvw'[row.pick]},{row.y}"))
    book = Workbook()
    book.worksheets[0].append(["a cover"])
    data = book.create_sheet("data")
    for cells in (["Sales of last year"], [], ["a", "n", "c", "y"], ["EUR", "[1]", None, None]):
        data.append(cells)
    for row in rows():
        data.append([float(row.a), str(row.at % 7), "uvw"[row.pick], row.y])
    book.create_sheet("notes").append(["not this one"])
    sink = io.BytesIO()
    book.save(sink)
    settings = {"data.sheet": "data"}
    return replace(case, content=sink.getvalue(), file="rows.xlsx", encoding="", settings=settings)


CASES: Mapping[str, Callable[[], Case]] = {
    "titles and units": titles_and_units,
    "a sep= line": separator_line,
    "a title, no header": titles_without_header,
    "a sheet with titles and units": sheet,
}
