"""Title rows above the header, the line `sep=;`, and a row of units below the header."""

import csv
import io
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from lightmodel.config import DataSection
from lightmodel.contract.columns import Dialect
from lightmodel.errors import DataError, LightModelError
from lightmodel.tables.reading import read_source
from tests.fakes.reading import (
    arrow_rows,
    features_of,
    plain_nans,
    read_for_training,
    read_request,
)
from tests.unit.tables.csv_cases import read, refusal

ROWS = "1,5;x;1\n2,5;z;0\n3;z;0\n1;x;1\n"
PLAIN = f"a;c;y\n{ROWS}"
TITLED = {
    "a line of text": f"Sales of last year\n{PLAIN}",
    "several lines, and a blank one": f"Sales\nmade on 2020-01-31\n\n{PLAIN}",
    "padded by delimiters": f"Sales of last year;;\n;;\n{PLAIN}",
    "blank lines alone": f";;\n;;\n{PLAIN}",
    "with another delimiter in it": f"Sales, last year, in EUR\n{PLAIN}",
    "a quoted cell of two lines": f'"Sales\nof last year";;\n{PLAIN}',
    "a sep= line": f"sep=;\n{PLAIN}",
    "a quoted sep= line": f'"sep=;"\r\n{PLAIN}',
    "a sep= line and a title": f"sep=;\nSales of last year\n{PLAIN}",
}
UNITS = "t;c;v;y\n°C;;m/s;\n1,5;x;4;1\n2,5;z;5;0\n3;z;5;0\n1;x;4;1\n"


@pytest.mark.parametrize("what", TITLED)
def test_what_stands_above_the_header_is_skipped_and_logged(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        table = read(tmp_path, TITLED[what])

    assert table.to_pydict() == read(tmp_path, PLAIN).to_pydict()
    assert "skipped" in caplog.text
    assert "Sales" not in caplog.text


@pytest.mark.parametrize("what", TITLED)
def test_a_request_is_read_like_training_with_and_without_its_titles(
    tmp_path: Path, what: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(TITLED[what], newline="")
    trained = read_for_training(path, DataSection())

    for body in (TITLED[what], PLAIN, *TITLED.values()):
        blocks = read_request(trained.contract, arrow_rows, DataSection(), [body.encode()])
        assert np.array_equal(features_of(blocks), plain_nans(trained.matrix))


def test_units_below_the_header_are_no_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        table = read(tmp_path, UNITS)

    assert table["t"].to_pylist() == [1.5, 2.5, 3.0, 1.0]
    assert "t °C, v m/s" in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        UNITS,
        UNITS.replace("°C;;m/s;\n", ""),
        "v;t;c\nm/s;°C;\n4;1,5;x\n5;2,5;z\n5;3;z\n4;1;x\n",
        f"A title of it\n{UNITS}",
    ],
)
def test_units_in_a_request_are_skipped_in_any_order(tmp_path: Path, body: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(UNITS)
    trained = read_for_training(path, DataSection())

    blocks = read_request(trained.contract, arrow_rows, DataSection(), [body.encode()])
    assert np.array_equal(features_of(blocks), plain_nans(trained.matrix))


@pytest.mark.parametrize(
    "text",
    [
        "unit,amount\nkg,-\nkg,5\nlb,7\n",
        "size,price\nm,\nl,5\nm,7\n",
        "name,age\nbob,unknown\neve,7\nann,8\n",
        "a,b\nkg,m\nkg,s\ng,m\n",
    ],
)
def test_a_row_that_may_be_data_is_not_taken_for_units(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).num_rows == 3


def test_rows_to_skip_can_be_set(tmp_path: Path) -> None:
    text = "report,\n\nname,kind\nbob,x\neve,y\n"

    assert "data.skip_rows" in refusal(tmp_path, text).hint
    table = read(tmp_path, text, skip_rows=2)
    assert table.to_pydict() == {"name": ["bob", "eve"], "kind": ["x", "y"]}


def test_nothing_is_skipped_if_that_is_set(tmp_path: Path) -> None:
    assert "line 2" in refusal(tmp_path, TITLED["a line of text"], skip_rows=0).message
    assert read(tmp_path, UNITS, skip_rows=0).num_rows == 5


def test_lines_of_an_error_are_counted_from_the_top_of_the_file(tmp_path: Path) -> None:
    text = "Sales of last year\n\n" + PLAIN + "1;2;3;4\n"
    assert "line 8 has 4" in refusal(tmp_path, text, skip_rows=1).message


@pytest.mark.parametrize("text", [",name\nfoo,bar\nx,y\n", "name,,\nx,p,q\ny,r,s\nz,p,q\n"])
def test_a_header_that_lacks_names_is_not_taken_for_a_title(tmp_path: Path, text: str) -> None:
    assert "no name" in refusal(tmp_path, text).message


def test_the_dialect_is_stored_with_what_was_skipped_and_without_what_was_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"Weather, of last year\n{UNITS}")
    found = read_source([path], DataSection()).dialect
    assert (found.skip_rows, found.units) == (1, ("°C", "", "m/s", ""))
    assert Dialect.from_dict(found.to_dict()) == found

    path.write_text(PLAIN)
    stored = read_source([path], DataSection()).dialect.to_dict()
    assert not {"skip_rows", "units", "sheet"} & stored.keys()


# ---- tables without a header ------------------------------------------------------------------------

DATA = "1,5;x;1\n2,5;z;0\n3;z;0\n1;x;1\n"


@pytest.mark.parametrize(
    "above", ["", "Sales, of last year\n", "Sales of last year;;\n", "s;t;u\n"]
)
def test_a_table_without_a_header_is_read_by_the_order_of_training(
    tmp_path: Path, above: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(above + DATA)
    options = DataSection(columns=("a", "c", "y"), header="no", skip_rows=int(bool(above)))
    trained = read_for_training(path, options)

    without_target = "".join(line.rpartition(";")[0] + "\n" for line in DATA.splitlines())
    for body in (above + DATA, DATA, f"a;c;y\n{DATA}", f"A title\n\na;c;y\n{DATA}", without_target):
        blocks = read_request(trained.contract, arrow_rows, DataSection(), [body.encode()])
        assert np.array_equal(features_of(blocks), plain_nans(trained.matrix))


def test_a_table_without_a_header_and_of_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(DATA)
    trained = read_for_training(path, DataSection(columns=("a", "c", "y"), header="no"))

    with pytest.raises(DataError, match=r"has 4 cells.* the 3 cells of the training table"):
        read_request(trained.contract, arrow_rows, DataSection(), [b"1;x;2;3\n2;z;3;4\n"])


def test_columns_are_not_counted_where_it_is_unclear_which_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("7;1;1\n8;3;0\n9;4;0\n10;1;1\n")
    options = DataSection(columns=("a", "b", "y"), header="no", id="a")
    trained = read_for_training(path, options)

    with pytest.raises(DataError, match="has 2 cells"):
        read_request(trained.contract, arrow_rows, DataSection(), [b"1;1\n3;0\n"])


def test_a_table_without_a_header_is_refused_with_the_names_that_were_expected(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(PLAIN)
    trained = read_for_training(path, DataSection())

    with pytest.raises(DataError, match=r"there is no header.*'a', 'c'"):
        read_request(trained.contract, arrow_rows, DataSection(), [DATA.encode()])


# ---- ordinary tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_diabetes])
def test_nothing_is_skipped_of_a_well_known_table(tmp_path: Path, load: object) -> None:
    frame = load(as_frame=True).frame  # type: ignore[operator]
    frame.to_csv(tmp_path / "rows.csv", index=False)

    found = read_source([tmp_path / "rows.csv"], DataSection())
    assert (found.dialect.skip_rows, found.dialect.units) == (0, ())
    assert found.table.num_rows == len(frame)


CELLS = st.one_of(
    st.integers(-99, 99).map(str),
    st.floats(-9, 9).map(lambda number: f"{number:.2f}"),
    st.text("abm/ %°k-", max_size=4),
    st.sampled_from(["", "NA", "kg", "[m]", "sep=;", "x y", "2020-01-31"]),
)


@st.composite
def tables(draw: st.DrawFn) -> Sequence[Sequence[str]]:
    """Return the names and rows of a table, whose names are distinct and not empty."""
    width = draw(st.integers(2, 5))
    names = draw(
        st.lists(st.text("abcxyz_", min_size=1, max_size=5), min_size=width, max_size=width,
                 unique=True)
    )  # fmt: skip
    rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=6))
    return [names, *rows]


@settings(max_examples=150, deadline=None)
@given(table=tables(), mark=st.sampled_from(",;\t|"))
def test_no_title_is_seen_in_a_table_with_a_full_header(
    table: Sequence[Sequence[str]], mark: str
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=mark, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(table)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_text(text.getvalue())
        try:
            found = read_source([path], DataSection(header="yes", delimiter=mark))
        except LightModelError:
            return  # one of the first cells may look like data; that is another matter
        assert found.dialect.skip_rows == 0
        assert found.table.num_rows == len(table) - 1 - bool(found.dialect.units)
