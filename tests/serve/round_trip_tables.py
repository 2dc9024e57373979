"""Small tables as people have them, each with a frame that pandas makes of it.

In every table `y` depends on a number `a` and on the column that the table is about, so that a cell
read otherwise is scored otherwise.
"""

import csv
import datetime as dt
import gzip
import io
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from lightmodel.config import DataSection

Frame = pd.DataFrame
NA = DataSection().missing
ROWS = 150


@dataclass(frozen=True)
class Case:
    """A training table, and what a user who has it may send.

    Attributes:
        content: of the file.
        frame: what pandas makes of it.
        settings: besides the source; `data.target` is y unless it says otherwise.
        file: its name.
        encoding: of its text; "" where it is no CSV.
        ids: as they stand in the file, where there is an id.
        without: forms that cannot hold these values.
        variants: frames that hold the same values in other types.
    """

    content: bytes
    frame: Frame
    settings: Mapping[str, object] = field(default_factory=dict)
    file: str = "rows.csv"
    encoding: str = "utf-8"
    ids: Sequence[str] | None = None
    without: frozenset[str] = frozenset()
    variants: Mapping[str, Frame] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text of a CSV."""
        data = self.content
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode(self.encoding)


def of_text(
    text: str,
    *,
    encoding: str = "utf-8",
    pack: Callable[[bytes], bytes] = bytes,
    settings: Mapping[str, object] | None = None,
    ids: Sequence[str] | None = None,
    without: Sequence[str] = (),
    variants: Mapping[str, Callable[[Frame], Frame]] | None = None,
    **pandas: Any,
) -> Case:
    """Return the case of a CSV."""
    options = {"keep_default_na": False, "na_values": list(NA), **pandas}
    frame = pd.read_csv(io.StringIO(text.removeprefix("\ufeff"), newline=""), **options)
    return Case(
        pack(text.encode(encoding)),
        frame,
        settings or {},
        encoding=encoding,
        ids=ids,
        without=frozenset(without),
        variants={name: change(frame.copy()) for name, change in (variants or {}).items()},
    )


@dataclass(frozen=True)
class Row:
    """One row to write: a number, which of three values, and the label that follows."""

    at: int
    a: str
    pick: int
    y: int


@cache
def rows(count: int = ROWS, seed: int = 0) -> tuple[Row, ...]:
    """Return rows whose label depends on both values."""
    random = np.random.default_rng(seed)
    made = []
    for at in range(count):
        a, pick = random.random(), int(random.integers(0, 3))
        y = int(a + 0.6 * (pick == 0) + 0.05 * random.normal() > 0.8)
        made.append(Row(at, f"{a:.3f}", pick, y))
    return tuple(made)


def lines(
    header: str, write: Callable[[Row], str], end: str = "\n", made: Sequence[Row] | None = None
) -> str:
    """Write a table with a row to a line; an empty header is left out."""
    written = [write(row) for row in (made or rows())]
    return end.join([*([header] if header else []), *written, ""])


def picked(values: Sequence[str], **options: Any) -> Case:
    """Return the case of a plain CSV whose column `c` has one of some texts."""
    text = lines("a,c,y", lambda row: f"{row.a},{values[row.pick % len(values)]},{row.y}")
    return of_text(text, **options)


def any_of(row: Row, values: Sequence[str]) -> str:
    """Return one of several ways to write a row's value, all of them used."""
    return values[row.at % len(values)]


# ---- as the tests of CSV have them ----------------------------------------------------------------


def wine() -> Case:
    grades = (7, 5, 6)
    text = lines(
        '"fixed acidity";"volatile acidity";"pH";"quality"',
        lambda row: f"{row.at % 9};{row.a};{row.pick + 0.25:g};{grades[(row.pick + row.y) % 3]}",
    )
    return of_text(text, settings={"data.target": "quality"}, sep=";")


def students() -> Case:
    course = ("none", "completed", "None")
    text = lines(
        "lunch,course,math",
        lambda row: (
            f"{'free/reduced' if row.at % 3 else 'standard'},{course[row.pick]},"
            f"{50 + 9 * row.pick + row.at % 4 + 5 * (row.at % 3 == 0)}"
        ),
    )
    return of_text(text, settings={"data.target": "math"})


def adult() -> Case:
    work = ("State-gov", "?", "Self-emp")
    names = ["age", "work", "weight", "income"]
    text = lines(
        "",
        lambda row: (
            f"{18 + row.at % 50}, {work[row.pick]}, {'?' if row.at % 20 == 3 else row.a}, "
            f"{'>50K' if row.y else '<=50K'}"
        ),
    )
    settings = {"data.columns": names, "data.target": "income"}
    return of_text(text, settings=settings, header=None, names=names, skipinitialspace=True)


def yes_and_no() -> Case:
    text = lines(
        "id,a,c,churn",
        lambda row: f"{row.at // 2},{row.a},c{row.pick},{'Yes' if row.y else 'No'}",
    )
    ids = [str(row.at // 2) for row in rows()]
    return of_text(text, settings={"data.target": "churn"}, ids=ids)


def delimited(mark: str) -> Case:
    text = lines(mark.join("acy"), lambda row: mark.join((row.a, "uvw"[row.pick], str(row.y))))
    return of_text(text, sep=mark)


def comma_inside() -> Case:
    text = lines("c\ta;b\ty", lambda row: f"x;{row.pick}\t{row.a}\t{row.y}")
    return of_text(text, settings={"data.delimiter": "tab"}, sep="\t")


def decimal_commas() -> Case:
    text = lines("a;b;c;y", lambda row: f"{row.a};{row.at % 7};y,{row.pick};{row.y}")
    head, _, rest = text.partition("\n")
    return of_text(f"{head}\n{rest.replace('.', ',')}", sep=";", decimal=",")


def late_decimal_comma() -> Case:
    """The first fifty rows have whole numbers only."""
    made = [
        Row(row.at, "0" if row.at < 50 else row.a.replace(".", ","), row.pick, row.y)
        for row in rows()
    ]
    text = lines("a;b;y", lambda row: f"{row.a};{row.pick};{row.y}", made=made)
    return of_text(text, sep=";", decimal=",")


def points_that_part_thousands() -> Case:
    thousands = ("1.500", "2.000", "3.000")
    text = lines("t;a;y", lambda row: f"{thousands[row.pick]};{row.a.replace('.', ',')};{row.y}")
    return of_text(text, settings={"data.decimal": ","}, sep=";", decimal=",", dtype={"t": str})


def commas_that_part_thousands() -> Case:
    thousands = ('"1,234"', '"2,345"', '"3,456"')
    text = lines("t,a,y", lambda row: f"{thousands[row.pick]},{row.a},{row.y}")
    return of_text(text)


def decimal_commas_in_quotes() -> Case:
    text = lines("a,b,y", lambda row: f'"{row.a.replace(".", ",")}",{row.pick},{row.y}')
    return of_text(text, decimal=",")


def parted_by_blanks() -> Case:
    words = ('"hi 1200d"', '"buick  skylark"', "plain")
    text = lines(
        "a     b   c   y",
        lambda row: (
            f"{'  ' * (row.at % 2)}{row.a}   {'?' if row.at % 9 == 2 else row.at % 5}"
            f"\t{words[row.pick]}  {row.y} "
        ),
    )
    return of_text(text, sep=r"\s+")


def parted_by_blanks_without_header() -> Case:
    words = ('"hi 1200d"', '"buick  skylark"', '"plain"')
    names = ["a", "b", "c", "y"]
    text = lines("", lambda row: f"{row.a}   {row.at % 5}  {words[row.pick]}   {row.y}")
    settings = {"data.columns": names}
    return of_text(text, settings=settings, sep=r"\s+", header=None, names=names)


def quotes_after_blanks(count: int = ROWS, first: int = 0) -> Case:
    """From row `first` on; before it no text needs quotes."""
    words = ('"x, y"', '"say ""hi"", z"', "plain")
    text = lines(
        "a, c, y",
        lambda row: f"{row.a}, {words[row.pick] if row.at >= first else 'plain'}, {row.y}",
        made=rows(count),
    )
    return of_text(text, skipinitialspace=True)


def late_quotes_after_blanks() -> Case:
    """Beyond the thousand rows that are looked at first, and without a delimiter inside."""
    made = rows(1_500)
    words = ('"red"', "green", "blue")
    bare = ("red", "green", "blue")
    text = lines(
        "a, c, y",
        lambda row: f"{row.a}, {words[row.pick] if row.at > 1_200 else bare[row.pick]}, {row.y}",
        made=made,
    )
    return of_text(text, skipinitialspace=True)


def single_quotes() -> Case:
    words = ("'red, or so'", "'green'", "'it''s blue'")
    text = lines("a,c,y", lambda row: f"{row.a},{words[row.pick]},{row.y}")
    return of_text(text, quotechar="'")


def apostrophes() -> Case:
    return picked(("'tis", "it's", "dogs'"), quoting=csv.QUOTE_MINIMAL)


def quotes_inside() -> Case:
    return picked(('5" pipe', 'a"b', 'x""'), quoting=csv.QUOTE_NONE)


def text_behind_quotes() -> Case:
    """Blanks, or letters, between a closing quote and the delimiter."""
    text = lines(
        "a,c,y",
        lambda row: (
            f'"{row.a}" ,{("uu", chr(34) + "u" + chr(34) + "u", "w")[row.pick]},"{row.y}"  '
        ),
    )
    return of_text(text)


def cells_with_line_ends() -> Case:
    words = ('"one\ntwo"', '"a ""quoted"" word, and\n\nmore"', "plain")
    text = lines("a,c,y", lambda row: f"{row.a},{words[row.pick]},{row.y}")
    return of_text(text)


def encoded(encoding: str, mark: str = "", **settings: object) -> Case:
    words = ("Käßmühle", "weiß", "Zürich")
    text = mark + lines("größe;c;y", lambda row: f"{row.a};{words[row.pick]};{row.y}")
    return of_text(text, encoding=encoding, settings=settings, sep=";")


def windows_with_commas() -> Case:
    """As Excel in Germany saves a CSV: Windows-1252, semicolons, decimal commas, CR LF."""
    towns = ("Köln", "Zürich", "Genf € 5")
    text = lines(
        "Ort;Preis;y",
        lambda row: f"{towns[row.pick]};{row.a.replace('.', ',')};{row.y}",
        end="\r\n",
    )
    return of_text(text, encoding="cp1252", sep=";", decimal=",")


def late_umlaut() -> Case:
    """Windows-1252, found out in the very last rows only."""
    words = ("rot", "gruen", "blau")
    text = lines(
        "a,c,y",
        lambda row: f"{row.a},{'grün' if row.at > 2_900 and row.pick else words[row.pick]},{row.y}",
        made=rows(3_000),
    )
    return of_text(text, encoding="cp1252")


def ended_by(end: str) -> Case:
    text = lines("a,c,y", lambda row: f"{row.a},{'uvw'[row.pick]},{row.y}", end=end)
    return of_text(text)


def blank_lines() -> Case:
    body = lines(
        "a,c,y",
        lambda row: f"{row.a},{'uvw'[row.pick]},{row.y}" + ("\n\n   " if row.at % 10 == 4 else ""),
    )
    bare = "".join(line + "\n" for line in body.splitlines() if line.strip())
    made = of_text(bare)
    return Case(f"\n \n\n{body}\n\x1a".encode(), made.frame)


def unended() -> Case:
    return of_text(delimited(",").text.rstrip("\n"))


def packed_once() -> Case:
    return of_text(delimited(",").text, pack=gzip.compress)


def packed_in_members() -> Case:
    def in_members(data: bytes) -> bytes:
        cuts = [0, 7, 700, 701, len(data)]
        return b"".join(gzip.compress(data[start:end]) for start, end in pairwise(cuts))

    return of_text(delimited(",").text, pack=in_members)


# ---- names and columns that are none -----------------------------------------------------------------


def row_numbers(first: int) -> Case:
    text = lines(",a,c,y", lambda row: f"{row.at + first},{row.a},{'uvw'[row.pick]},{row.y}")
    return of_text(text)


def row_numbers_of_r() -> Case:
    text = lines('"a","c","y"', lambda row: f'"{row.at + 1}",{row.a},"{"uvw"[row.pick]}",{row.y}')
    return of_text(text)


def nameless_ends(header: str, behind: str) -> Case:
    text = lines(
        f"a;c;y{header}", lambda row: f"{row.a.replace('.', ',')};{'uvw'[row.pick]};{row.y}{behind}"
    )
    bare = lines("a;c;y", lambda row: f"{row.a.replace('.', ',')};{'uvw'[row.pick]};{row.y}")
    made = of_text(bare, sep=";", decimal=",")
    return Case(text.encode(), made.frame)


def blanks_in_names() -> Case:
    text = lines(
        ' a ,"c, d" , it\'s "so", y ', lambda row: f"{row.a},{'uvw'[row.pick]},{row.at % 4},{row.y}"
    )
    made = of_text(text, skipinitialspace=True)
    frame = made.frame.rename(columns=str.strip)
    return Case(made.content, frame)


def decomposed_name() -> Case:
    text = lines("a,Größe,y", lambda row: f"{row.a},{'uvw'[row.pick]},{row.y}")
    made = of_text(unicodedata.normalize("NFD", text))
    composed = made.frame.rename(columns=lambda name: unicodedata.normalize("NFC", name))
    return Case(made.content, made.frame, variants={"composed": composed})


def years_as_names() -> Case:
    text = lines("2019,2020,y", lambda row: f"{row.a},{row.pick},{row.y}")
    return of_text(text, settings={"data.header": "yes"})


# ---- cells -------------------------------------------------------------------------------------------


def missing_among_numbers() -> Case:
    gaps = ("?", "NA", " ", " n/a ", "NaN", "")
    text = lines(
        "a,b,c,y",
        lambda row: (
            f"{gaps[row.at % 6] if row.at % 7 == 0 else row.a},{row.pick},"
            f"{gaps[row.at % 6] if row.at % 5 == 0 else 'uvw'[row.pick]},{row.y}"
        ),
    )
    return of_text(text, skipinitialspace=True, na_values=[*NA, " ", "n/a "])


def own_missing() -> Case:
    """`data.missing = ["", "-1"]`: then NA is a category, and -1 is none in any column."""
    text = lines(
        "a,b,c,y",
        lambda row: (
            f"{'-1' if row.at % 7 == 0 else row.a},{(-1, 5, 9)[row.pick]},"
            f"{('NA', '-1', 'v')[row.pick]},{row.y}"
        ),
    )
    return of_text(text, settings={"data.missing": ["", "-1"]}, na_values=["", "-1"])


def missing_number_written_twice() -> Case:
    text = lines(
        "a,b,y",
        lambda row: (
            f"{('-999', '-999.0', '-9.99e2')[row.pick] if row.at % 3 == 0 else row.a},{row.pick},{row.y}"
        ),
    )
    kept = pd.read_csv(io.StringIO(text))
    return of_text(
        text,
        settings={"data.missing": ["", "-999"]},
        na_values=["", "-999"],
        variants={"as numbers": lambda _: kept},
    )


def empty_column() -> Case:
    text = lines("a,b,c,y", lambda row: f"{row.a},,{'uvw'[row.pick]},{row.y}")
    return of_text(text)


def whole_numbers_with_gaps() -> Case:
    """pandas reads them as floats, and writes 7.0."""
    text = lines("a,b,y", lambda row: f"{row.a},{'' if row.at % 11 == 0 else row.pick + 7},{row.y}")
    return of_text(text)


def codes_and_letters() -> Case:
    """Categories 7, 8 and A: whole numbers among words."""
    return picked(("7", "8", "A"), dtype={"c": str}, variants={"numbers": _numbers_where_they_are})


def codes_and_letters_with_gaps() -> Case:
    text = lines(
        "a,c,y",
        lambda row: f"{row.a},{'' if row.at % 8 == 0 else ('7', '8', 'A')[row.pick]},{row.y}",
    )
    return of_text(text, dtype={"c": str}, variants={"numbers": _numbers_where_they_are})


def _numbers_where_they_are(frame: Frame) -> Frame:
    cells = [float(cell) if str(cell).isdigit() else cell for cell in frame["c"]]
    return frame.assign(c=pd.Series(cells, dtype=object))


def points_that_matter() -> Case:
    """Texts 7, 7.0 and 7.00 that training told apart stay apart."""
    return picked(("7", "7.0", "A"), dtype={"c": str})


def padded_codes() -> Case:
    return picked(("00123", "4", "007"), dtype={"c": str})


def long_codes() -> Case:
    return picked(
        ("12345678901234567890", "12345678901234567891", "98765432109876543210"), dtype={"c": str}
    )


def booleans() -> Case:
    words = (("true", "True", "TRUE"), ("false", "False", "FALSE"), ("false", "False", "FALSE"))
    text = lines("a,b,y", lambda row: f"{row.a},{any_of(row, words[row.pick])},{row.y}")
    return of_text(text, variants=_truths("b"))


def booleans_with_gaps() -> Case:
    words = (("true", "True", "TRUE"), ("false", "False", "FALSE"), ("",))
    text = lines("a,b,y", lambda row: f"{row.a},{any_of(row, words[row.pick])},{row.y}")
    return of_text(text, variants=_truths("b"))


def _truths(name: str) -> dict[str, Callable[[Frame], Frame]]:
    """Return the ways to write a boolean column."""

    def mapped(yes: object, no: object) -> Callable[[Frame], Frame]:
        def change(frame: Frame) -> Frame:
            cells = [
                None if pd.isna(cell) else yes if str(cell).lower() == "true" else no
                for cell in frame[name]
            ]
            return frame.assign(**{name: pd.Series(cells, dtype=object)})

        return change

    def floats(frame: Frame) -> Frame:
        return frame.assign(**{name: mapped(1.0, 0.0)(frame)[name].astype(float)})

    return {
        "booleans": mapped(True, False),
        "ones": mapped(1, 0),
        "floats": floats,
        "words": mapped("TRUE", "false"),
        "digits": mapped("1", "0"),
        "digits with a point": mapped("1.0", "0.0"),
    }


def booleans_and_a_one() -> Case:
    """A 1 among words makes a category of them: 1 and True stay what they were in training."""
    return picked(("true", "True", "1"), dtype={"c": str})


def flags() -> Case:
    """True, False and Unknown: a category, whose True is JSON's true."""

    def real(frame: Frame) -> Frame:
        cells = [{"True": True, "False": False}.get(cell, cell) for cell in frame["c"]]
        return frame.assign(c=pd.Series(cells, dtype=object))

    def lower(frame: Frame) -> Frame:
        return frame.assign(c=[cell if cell == "Unknown" else cell.lower() for cell in frame["c"]])

    return picked(
        ("True", "False", "Unknown"), dtype={"c": str}, variants={"real": real, "lower": lower}
    )


def times_of_day() -> Case:
    hours = ("04:00:00", "09:30:00", "18:00:00")

    def times(frame: Frame) -> Frame:
        return frame.assign(c=[dt.time.fromisoformat(cell) for cell in frame["c"]])

    return picked(hours, variants={"times": times})


def decomposed() -> Case:
    """Zürich is written in both ways in one column; both are one value."""
    towns = ("Zürich", "Genf", "Besançon")
    text = lines(
        "a,c,y",
        lambda row: (
            f"{row.a},{unicodedata.normalize(('NFC', 'NFD')[row.at % 2], towns[row.pick])},{row.y}"
        ),
    )

    def in_form(form: str) -> Callable[[Frame], Frame]:
        return lambda frame: frame.assign(
            c=[unicodedata.normalize(form, cell) for cell in frame["c"]]
        )

    return of_text(text, variants={"composed": in_form("NFC"), "decomposed": in_form("NFD")})


BLANKS = tuple(sign for sign in map(chr, range(0x3001)) if sign.isspace() and sign not in "\n\r")


def no_break_spaces() -> Case:
    text = lines(
        "a,b,c,y",
        lambda row: (
            f"{row.a}\u00a0,{row.pick},{('red', 'green', 'blue')[row.pick]}"
            f"{chr(0xA0) * (row.pick == 0)},{row.y}"
        ),
    )
    return of_text(text)


def every_blank() -> Case:
    """Every character that `str.strip` takes away, on either side of texts and numbers."""
    text = lines(
        "a,b,c,y",
        lambda row: (
            f"{any_of(row, BLANKS)}{row.a},{row.pick}{any_of(row, BLANKS)},"
            f"{any_of(row, BLANKS[::-1])}{('red', 'green', 'blue')[row.pick]}{any_of(row, BLANKS)},{row.y}"
        ),
    )
    return of_text(text, without=["Excel"])


def no_blanks() -> Case:
    """What looks like a blank and is none: zero width, byte-order mark, Mongolian separator."""
    return picked(("red\u200b", "\ufeffred", "red\u180e"))


def large_ids() -> Case:
    ids = [str(9007199254740993 + 2 * row.at) for row in rows()]
    text = lines("order_id,a,c,y", lambda row: f"{ids[row.at]},{row.a},{'uvw'[row.pick]},{row.y}")
    return of_text(text, ids=ids, without=["Excel"])


def huge_ids() -> Case:
    """Beyond what 64 bits hold."""
    ids = [str(2**64 + 3 * row.at) for row in rows()]
    text = lines("order_id,a,c,y", lambda row: f"{ids[row.at]},{row.a},{'uvw'[row.pick]},{row.y}")
    return of_text(text, ids=ids, dtype={"order_id": str})


def padded_ids() -> Case:
    ids = [f"{row.at:05d}" for row in rows()]
    text = lines("id,a,c,y", lambda row: f"{ids[row.at]},{row.a},{'uvw'[row.pick]},{row.y}")
    return of_text(text, ids=ids, dtype={"id": str})


def decomposed_ids() -> Case:
    """An id is answered as it came, decomposed or not."""
    ids = [unicodedata.normalize("NFD", f"Zürich-{row.at}") for row in rows()]
    text = lines("id,a,c,y", lambda row: f"{ids[row.at]},{row.a},{'uvw'[row.pick]},{row.y}")
    return of_text(text, ids=ids)


def large_feature() -> Case:
    """float64 rounds these, in training and in requests alike."""
    text = lines(
        "a,n,y", lambda row: f"{row.a},{9007199254740993 + 1000 * row.pick + row.at},{row.y}"
    )
    return of_text(text, without=["Excel"])


def large_group() -> Case:
    text = lines(
        "g,a,c,y", lambda row: f"{9007199254740993 + row.at // 3},{row.a},{'uvw'[row.pick]},{row.y}"
    )
    settings = {"split.method": "group:g"}
    return of_text(text, settings=settings, without=["Excel"])


def numbers_as_written() -> Case:
    """Signs, exponents, bare points, many digits."""

    def write(row: Row) -> str:
        return any_of(
            row,
            (
                f"+{row.a}",
                f"{row.a}e0",
                f"{float(row.a) * 100:.1f}E-2",
                row.a.lstrip("0"),
                f"{row.a}00",
            ),
        )

    text = lines("a,b,y", lambda row: f"{write(row)},{row.pick}.,{row.y}")
    return of_text(text)


def dates_and_infinities() -> Case:
    """Dates are left out of the features, and stay so."""
    text = lines(
        "d,t,a,c,y",
        lambda row: (
            f"2024-01-{row.at % 28 + 1:02d},2024-01-01T10:{row.at % 60:02d}:00Z,"
            f"{row.a},{'uvw'[row.pick]},{row.y}"
        ),
    )
    return of_text(text)


def text_labels() -> Case:
    labels = ("low", "high")
    text = lines("a,c,y", lambda row: f"{row.a},{'uvw'[row.pick]},{labels[row.y]}")
    return of_text(text)


def one_feature() -> Case:
    made = [Row(row.at, row.a, 1, int(float(row.a) > 0.5)) for row in rows()]
    return of_text(lines("a,y", lambda row: f"{row.a},{row.y}", made=made))


# ---- other formats -----------------------------------------------------------------------------------


def _plain() -> Frame:
    made = pd.read_csv(io.StringIO(delimited(",").text))
    flag = [row.pick == 1 for row in rows()]
    return made.assign(flag=flag, n=[None if row.at % 9 == 0 else row.pick for row in rows()])


def parquet_file() -> Case:
    frame = _plain()
    typed = frame.assign(a=frame["a"].astype("float64"), c=frame["c"].astype("category"))
    sink = io.BytesIO()
    typed.to_parquet(sink, index=False)
    return Case(sink.getvalue(), frame, file="rows.parquet", encoding="")


def parquet_times() -> Case:
    """A column of time64, which a CSV holds as text."""
    text = times_of_day().frame
    typed = times_of_day().variants["times"]
    sink = io.BytesIO()
    typed.to_parquet(sink, index=False)
    return Case(sink.getvalue(), text, file="rows.parquet", encoding="", variants={"times": typed})


def excel_file() -> Case:
    sink = io.BytesIO()
    _plain().to_excel(sink, index=False)
    return Case(sink.getvalue(), _plain(), file="rows.xlsx", encoding="")


def excel_times() -> Case:
    text, typed = times_of_day().frame, times_of_day().variants["times"]
    sink = io.BytesIO()
    typed.to_excel(sink, index=False)
    return Case(sink.getvalue(), text, file="rows.xlsx", encoding="", variants={"times": typed})


def json_lines_file() -> Case:
    frame = _plain()
    text = frame.to_json(orient="records", lines=True, double_precision=15)
    return Case(text.encode(), frame, file="rows.jsonl", encoding="")


def json_flags() -> Case:
    """Records whose column holds true, false and a word: what CSV has as True is the same."""
    made = flags()
    records = made.variants["real"].to_dict("records")
    text = "".join(json.dumps(record) + "\n" for record in records)
    return Case(text.encode(), made.frame, file="rows.jsonl", encoding="", variants=made.variants)


CASES: Mapping[str, Callable[[], Case]] = {
    "wine": wine,
    "students": students,
    "adult, no header": adult,
    "yes and no, ids twice": yes_and_no,
    "commas": lambda: delimited(","),
    "semicolons": lambda: delimited(";"),
    "tabs": lambda: delimited("\t"),
    "pipes": lambda: delimited("|"),
    "a delimiter given": comma_inside,
    "decimal commas": decimal_commas,
    "a late decimal comma": late_decimal_comma,
    "points that part thousands": points_that_part_thousands,
    "commas that part thousands": commas_that_part_thousands,
    "decimal commas in quotes": decimal_commas_in_quotes,
    "parted by blanks": parted_by_blanks,
    "parted by blanks, no header": parted_by_blanks_without_header,
    "quotes after blanks": quotes_after_blanks,
    "late quotes after blanks": late_quotes_after_blanks,
    "single quotes": single_quotes,
    "apostrophes": apostrophes,
    "quotes inside": quotes_inside,
    "text behind quotes": text_behind_quotes,
    "line ends in cells": cells_with_line_ends,
    "UTF-8 with a mark": lambda: encoded("utf-8", "\ufeff"),
    "UTF-16": lambda: encoded("utf-16"),
    "UTF-16 LE": lambda: encoded("utf-16-le", "\ufeff"),
    "UTF-32": lambda: encoded("utf-32"),
    "Windows-1252": lambda: encoded("cp1252"),
    "Windows-1252 late": late_umlaut,
    "code page 437": lambda: encoded("cp437", **{"data.encoding": "cp437"}),
    "Latin 1 given": lambda: encoded("iso-8859-1", **{"data.encoding": "iso-8859-1"}),
    "Excel in Germany": windows_with_commas,
    "CR LF": lambda: ended_by("\r\n"),
    "CR": lambda: ended_by("\r"),
    "blank lines": blank_lines,
    "no line end at the end": unended,
    "gzip": packed_once,
    "gzip of several members": packed_in_members,
    "row numbers from 0": lambda: row_numbers(0),
    "row numbers from 1": lambda: row_numbers(1),
    "row numbers of R": row_numbers_of_r,
    "two nameless ends": lambda: nameless_ends(";;", ";;"),
    "one nameless end": lambda: nameless_ends(";", ";"),
    "a nameless end below": lambda: nameless_ends("", ";"),
    "a nameless end in the header": lambda: nameless_ends(";", ""),
    "blanks in names": blanks_in_names,
    "a decomposed name": decomposed_name,
    "years as names": years_as_names,
    "missing among numbers": missing_among_numbers,
    "own missing": own_missing,
    "a missing number": missing_number_written_twice,
    "an empty column": empty_column,
    "whole numbers with gaps": whole_numbers_with_gaps,
    "7, 8, A": codes_and_letters,
    "7, 8, A with gaps": codes_and_letters_with_gaps,
    "7 and 7.0": points_that_matter,
    "padded codes": padded_codes,
    "long codes": long_codes,
    "booleans": booleans,
    "booleans with gaps": booleans_with_gaps,
    "booleans and a 1": booleans_and_a_one,
    "True, False, Unknown": flags,
    "times of day": times_of_day,
    "decomposed": decomposed,
    "no-break spaces": no_break_spaces,
    "every blank": every_blank,
    "no blanks": no_blanks,
    "large ids": large_ids,
    "huge ids": huge_ids,
    "padded ids": padded_ids,
    "decomposed ids": decomposed_ids,
    "a large feature": large_feature,
    "a large group": large_group,
    "numbers as written": numbers_as_written,
    "dates": dates_and_infinities,
    "labels of text": text_labels,
    "one feature": one_feature,
    "Parquet": parquet_file,
    "Parquet with times": parquet_times,
    "Excel": excel_file,
    "Excel with times": excel_times,
    "JSON Lines": json_lines_file,
    "JSON Lines with flags": json_flags,
}
