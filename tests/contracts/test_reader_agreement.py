"""The two readers of rows agree on any text, and a request reads what training read.

Nothing of Unicode is left out: surrogates alone are no characters, and no UTF-8 holds them. Both
readers either give the same rows, the same bits and the same texts, or both refuse.
"""

import csv
import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, note, settings
from hypothesis import strategies as st

from lightmodel.config import DataSection
from lightmodel.errors import DataError, LightModelError
from lightmodel.tables.row_readers import CellKind, Layout, RowReader
from tests.fakes.reading import (
    arrow_rows,
    compiled_rows,
    cut,
    features_of,
    plain_nans,
    read_for_training,
    read_request,
)

BLANKS = [chr(code) for code in range(0x3001) if chr(code).isspace()]
ANY = st.characters(exclude_categories=["Cs"])
WORDS = st.sampled_from(
    [
        "NA",
        "?",
        "-1",
        "7",
        "7.0",
        "true",
        "False",
        "TRUE",
        "nan",
        "inf",
        "-Infinity",
        "1e400",
        "null",
    ]
)
NUMBERS = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers(-(10**22), 10**22).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str),
    st.text("0123456789.,-+eE", max_size=12),
    st.integers(300, 900).map(lambda digits: "1." + "3" * digits),
)


# ---- the readers of rows ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """Everything that a reader returned for a text."""

    numbers: bytes
    texts: tuple[tuple[str | None, ...], ...]
    ragged: int


def read_all(reader: RowReader, layout: Layout, pieces: Sequence[bytes]) -> Rows | None:
    """Read a text that arrives in pieces; return None if it is refused."""
    parts = []
    left = b""
    try:
        for piece in pieces:
            left += piece
            while (part := reader(layout, left, final=False)).consumed:
                parts.append(part)
                left = left[part.consumed :]
        while left:
            parts.append(part := reader(layout, left, final=True))
            if not part.consumed:
                break
            left = left[part.consumed :]
    except DataError:
        return None
    texts = tuple(
        tuple(text for part in parts for text in part.texts[at]) for at in range(layout.texts)
    )
    numbers = b"".join(np.ascontiguousarray(part.numbers).tobytes() for part in parts)
    return Rows(numbers, texts, sum(part.ragged for part in parts))


# Strategies are made once: to make and to check one anew for each cell takes longer than to draw from it.
MISSING = st.lists(st.sampled_from(["NA", "?", "-1", "7", "0", "null", "\u00fc"]), max_size=3)
KINDS = st.lists(st.sampled_from(CellKind), min_size=1, max_size=4)
INNER = st.one_of(NUMBERS, WORDS, st.text(ANY, max_size=6))
AROUND = st.text(st.sampled_from(BLANKS), max_size=2)
YES_OR_NO = st.booleans()
LINE_ENDS = st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n", "\n \n"])


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Draw a layout of any number of cells of any kinds, in any dialect."""
    kinds = draw(KINDS)
    is_text = [kind is CellKind.TEXT for kind in kinds]
    places = [
        is_text[:at].count(is_text[at]) if kind is not CellKind.IGNORED else 0
        for at, kind in enumerate(kinds)
    ]
    # an ignored cell has no column in the matrix of numbers
    numbers = [at for at, kind in enumerate(kinds) if kind in {CellKind.NUMBER, CellKind.BOOLEAN}]
    for place, at in enumerate(numbers):
        places[at] = place
    return Layout(
        bytes(kinds),
        tuple(places),
        len(numbers),
        delimiter=draw(st.sampled_from(",;\t|")),
        quote=draw(st.sampled_from("\"'")),
        decimal=draw(st.sampled_from(".,")),
        missing=tuple(draw(MISSING)),
    )


def draw_cell(draw: st.DrawFn, quote: str) -> str:
    """Draw a cell as somebody may write it: quoted or not, among blanks or not, or broken."""
    inner = draw(INNER)
    if draw(YES_OR_NO):
        behind = draw(behind_quote(quote))
        inner = quote + inner.replace(quote, quote * 2) + quote + behind
    return draw(AROUND) + inner + draw(AROUND) if draw(YES_OR_NO) else inner


@cache
def behind_quote(quote: str) -> st.SearchStrategy[str]:
    """Return what may stand behind the closing quote of a cell."""
    return st.sampled_from(["", "", "", "b", quote, f"b{quote}c"])


@cache
def any_texts(delimiter: str, quote: str, decimal: str) -> st.SearchStrategy[str]:
    """Return any texts, in which what separates cells and rows is frequent."""
    special = [delimiter, quote, decimal, "\n", "\r", "\r\n", "\x1a", "\x1f", *BLANKS]
    return st.lists(st.one_of(st.sampled_from(special), ANY, NUMBERS, WORDS)).map("".join)


@st.composite
def texts(draw: st.DrawFn, layout: Layout) -> str:
    """Draw a text of rows that mostly have the right number of cells, or any text at all."""
    if draw(st.integers(0, 4)) == 0:
        return draw(any_texts(layout.delimiter, layout.quote, layout.decimal))
    width = len(layout.kinds)
    counts = st.sampled_from([width] * 6 + [width + 1, max(1, width - 1)])
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        row = [draw_cell(draw, layout.quote) for _ in range(draw(counts))]
        rows.append(layout.delimiter.join(row) + draw(LINE_ENDS))
    return "".join(rows)


@st.composite
def laid_out_texts(draw: st.DrawFn) -> tuple[Layout, str]:
    """Draw a layout and a text in it."""
    layout = draw(layouts())
    return layout, draw(texts(layout))


N, B, T, I = CellKind.NUMBER, CellKind.BOOLEAN, CellKind.TEXT, CellKind.IGNORED  # noqa: E741
ONE_TEXT = Layout(bytes([T]), (0,), 0)
TWO = Layout(bytes([N, T]), (0, 0), 1, missing=("NA",))


@pytest.mark.compiler
@settings(max_examples=500)
@given(laid_out_texts(), st.lists(st.integers(0, 10_000), max_size=4))
@example((TWO, '"1" ,z\n'), [])
@example((TWO, '1,"a"b\n'), [])
@example((TWO, "1\u00a0,red\u00a0\n"), [])
@example((TWO, "\u30001\u2003,\u2028x\u202f\n"), [3])
@example((TWO, "\x1c1\x1f,\x0bx\x0c\n"), [])
@example((TWO, "\ufeff1,\u200bx\n"), [])
@example((TWO, "1,a\x00b\n"), [])
@example((TWO, "\x00\n"), [])
@example((TWO, "1,x\n\u00a0\n\n2,y\r\n\x1a"), [])
@example((TWO, "1,x\r2,y\r\n3,z"), [4])
@example((TWO, '1,"x\r\ny"\n'), [5])
@example((TWO, '1,"x'), [])
@example((TWO, 'NA, "NA"\n"", ""\n'), [])
@example((replace(TWO, quote="'"), "'1','it''s \"so\"'\n"), [])
@example((replace(TWO, delimiter=";", decimal=","), '1,5;x\n1.5;y\n"1,5";z\n'), [])
@example((replace(TWO, decimal=","), '"1,5",x\n1,5,y\n'), [])
@example((ONE_TEXT, "a\n\nb\n \n"), [])
@example((ONE_TEXT, '""\n"a"\n'), [])
@example((Layout(bytes([B]), (0,), 1), "1.0\n0.0\nTRUE\n-0\n1,0\n2\n"), [])
@example((replace(TWO, delimiter="\t"), "\t\t\t"), [])
@example((replace(TWO, delimiter="\t"), "\t\r\n \t\n1\tx\n"), [2])
@example((Layout(bytes([N, I]), (0, 0), 1), f"{'9' * 5_000},\n0.{'3' * 5_000},\n"), [])
def test_the_readers_agree_on_any_text(given_: tuple[Layout, str], cuts: list[int]) -> None:
    layout, text = given_
    data = text.encode()
    note(f"{layout!r} {data!r}")
    whole = read_all(arrow_rows, layout, [data])
    assert read_all(compiled_rows(), layout, [data]) == whole
    for reader in (arrow_rows, compiled_rows()):  # wherever the text is cut, even in a character
        assert read_all(reader, layout, cut(data, cuts)) == whole


PLANE = 0x10000


@pytest.mark.compiler
@pytest.mark.parametrize("plane", range(17))
def test_the_readers_agree_on_every_character(plane: int) -> None:
    """Put it before, within and behind a text and a number; of planes without letters, one in 64."""
    codes = range(plane * PLANE, (plane + 1) * PLANE, 1 if plane < 2 else 64)
    signs = [chr(code) for code in codes if not 0xD800 <= code < 0xE000]
    rows = [f'{sign}1,{sign}x\n1{sign},x{sign}\n1{sign}1,"{sign}x{sign}"\n' for sign in signs]
    data = "".join(rows).encode()
    whole = read_all(arrow_rows, TWO, [data])
    assert whole is not None
    assert read_all(compiled_rows(), TWO, [data]) == whole


# ---- training and requests --------------------------------------------------------------------------


Maker = Callable[[], RowReader]
READERS = [
    pytest.param(lambda: arrow_rows, id="arrow"),
    pytest.param(compiled_rows, id="compiled", marks=pytest.mark.compiler),
]

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)
COLUMNS = st.sampled_from(
    [
        st.floats(-1e300, 1e300).map(repr),
        st.integers(-(2**60), 2**60).map(str),
        st.integers(0, 9).map(str),
        st.decimals(-1000, 1000, places=3).map(str),
        st.sampled_from(["true", "True", "FALSE", "false"]),
        st.sampled_from(["7", "7.0", "8", "A", "00123"]),
        st.sampled_from(["True", "False", "Unknown"]),
        st.sampled_from(["09:00:00", "10:30:00", "23:59:59"]),
        st.sampled_from(["Z\u00fcrich", "Zu\u0308rich", "Genf"]),
        st.sampled_from(["a,b", "a;b", 'say "so"', "it's", "'quoted'", "two\nlines", "-"]),
        TEXT.map(lambda inner: f"t{inner}t"),
        TEXT,
    ]
)


@dataclass(frozen=True)
class Table:
    """A table of text, its dialect, and its marks of a missing value."""

    rows: list[list[str]]
    form: dict[str, object]
    blanks: str
    encoding: str
    missing: tuple[str, ...]

    @property
    def data(self) -> bytes:
        """Return the content of the file."""
        sink = io.StringIO()
        writer = csv.writer(sink, **self.form)  # type: ignore[arg-type]  # of mixed types
        names = [f"column {at}" for at in range(len(self.rows[0]) - 1)]
        writer.writerows([[*names, "y"], *self.rows])
        return sink.getvalue().encode(self.encoding, "replace")


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Draw columns of one type each, with gaps and blanks, and a target."""
    count = draw(st.integers(3, 12))
    missing = draw(st.sampled_from([DataSection().na_values, ("", "-1"), ("NA", "7")]))
    gap = st.sampled_from(["", *missing])
    blanks = draw(st.sampled_from(["", "", " ", "\u00a0", "\t", "\u3000"]))
    columns = []
    for _ in range(draw(st.integers(1, 4))):
        cell = draw(COLUMNS)
        some = draw(st.sampled_from([cell, cell | cell | cell | gap]))
        columns.append(draw(st.lists(some, min_size=count, max_size=count)))
    columns.append(["no" if at % 2 else "yes" for at in range(count)])
    rows = [
        [blanks + cell + blanks for cell in row[:-1]] + [row[-1]]
        for row in zip(*columns, strict=True)
    ]
    form = {
        "delimiter": draw(st.sampled_from(",;\t| ")),
        "quotechar": draw(st.sampled_from('""\'')),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "lineterminator": draw(st.sampled_from(["\n", "\r\n", "\r"])),
    }
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    return Table(rows, form, blanks, encoding, missing)


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=150)
@given(table=tables(), cuts=st.lists(st.integers(0, 10_000), max_size=3))
def test_a_request_reads_what_training_read(reader: Maker, table: Table, cuts: list[int]) -> None:
    """A request reads a text as the same values that training read."""
    options = DataSection.model_validate({"na_values": table.missing, "id": ""})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        path.write_bytes(table.data)
        try:
            read = read_for_training(path, options)
        except LightModelError:
            return  # nothing was trained
    note(repr(table.data))
    blocks = read_request(read.contract, reader(), options, cut(table.data, cuts))
    assert [violation for block in blocks for violation in block.violations] == []
    assert sum(sum(block.unseen.values()) for block in blocks) == 0
    assert features_of(blocks).tobytes() == np.ascontiguousarray(plain_nans(read.matrix)).tobytes()
