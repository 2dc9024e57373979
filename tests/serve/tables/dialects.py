"""Delimiters, quotes, decimal marks, encodings, line ends and packing."""

import csv
import gzip
from collections.abc import Callable, Mapping
from itertools import pairwise

from tests.serve.tables.base import ROWS, Case, Frame, Row, lines, of_text, picked, rows


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
        "lunch,course,reading,math",
        lambda row: (
            f"{'free/reduced' if row.at % 3 else 'standard'},{course[row.pick]},{row.a},"
            f"{50 + 9 * row.pick + 5 * (row.at % 3 == 0) + round(20 * float(row.a))}"
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
    text = f"{head}\n{rest.replace('.', ',')}"
    return of_text(text, variants={"texts": number_texts}, sep=";", decimal=",")


def number_texts(frame: Frame) -> Frame:
    """Return the frame with the numbers of a column as texts, as written in the file."""
    return frame.assign(a=[str(number).replace(".", ",") for number in frame["a"]])


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
    return of_text(text, decimal=",", without=["CSV of pandas"])  # points are refused then


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
}
