"""Compression, encoding and line ends of a text file."""

import gzip
import logging
import random
from pathlib import Path

import pytest

from lightmodel.errors import ConfigError
from tests.unit.tables.csv_cases import read, refusal


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings_are_detected(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding.endswith(("-le", "-be")) else ""
    text = f"{mark}größe;straße\n1;Käßmühle\n2;weiß\n"

    table = read(tmp_path, text.encode(encoding))

    assert table.to_pydict() == {"größe": [1, 2], "straße": ["Käßmühle", "weiß"]}


def test_a_fallback_to_windows_1252_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        read(tmp_path, "a;größe\n1;2\n".encode("cp1252"))

    assert "rows.csv is not UTF-8; it is read as Windows-1252" in caplog.text


def test_the_first_non_ascii_letter_may_come_late(tmp_path: Path) -> None:
    text = "n,word\n" + "1,plain\n" * 60_000 + "2,größe\n"

    table = read(tmp_path, text.encode("cp1252"))

    assert table.num_rows == 60_001
    assert table["word"][-1].as_py() == "größe"


def test_damaged_utf8_is_refused_rather_than_read_as_something_else(tmp_path: Path) -> None:
    text = b"n,word\n" + "1,müde\n".encode() * 60_000 + "2,größe\n".encode("cp1252")

    assert "neither UTF-8 nor Windows-1252" in refusal(tmp_path, text).message


@pytest.mark.parametrize("rows", [1, 60_000])
def test_an_error_about_the_encoding_names_the_setting(tmp_path: Path, rows: int) -> None:
    text = b"n,word\n" + b"1,plain\n" * rows + "2,größe\n".encode("cp1252")

    error = refusal(tmp_path, text, encoding="utf-8")

    assert "not UTF-8 throughout" in error.message
    assert "data.encoding" in error.hint


def test_a_configured_encoding_is_used(tmp_path: Path) -> None:
    text = "größe;x\n1;Ñ\n".encode("cp437")

    assert read(tmp_path, text, encoding="cp437").to_pydict() == {"größe": [1], "x": ["Ñ"]}


@pytest.mark.parametrize("encoding", ["klingon", "undefined", "base64"])
def test_an_unknown_encoding_is_a_config_error(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.encoding"):
        read(tmp_path, "a,b\n1,2\n", encoding=encoding)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_matter(tmp_path: Path, end: str) -> None:
    assert read(tmp_path, end.join(["a,b", "1,x", "2,y", ""])).to_pydict() == {
        "a": [1, 2],
        "b": ["x", "y"],
    }


def test_blank_lines_are_skipped(tmp_path: Path) -> None:
    text = "\n \n\na,b\n\n1,2\n   \n3,4\n\n\x1a"

    assert read(tmp_path, text).to_pydict() == {"a": [1, 3], "b": [2, 4]}


def test_cells_may_hold_line_ends_wherever_a_block_ends(tmp_path: Path) -> None:
    cells = [f"{row}\n{row},{row}\nend" for row in range(120_000)]
    text = "n,text\n" + "".join(f'{row},"{cell}"\n' for row, cell in enumerate(cells))

    table = read(tmp_path, text)

    assert table["text"].to_pylist() == cells
    assert table["n"].to_pylist() == list(range(120_000))


def test_gzip_is_decompressed_whatever_the_name(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b"a,b\n1,x\n")).to_pydict() == {"a": [1], "b": ["x"]}


def test_a_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    noise = "".join(f"{random.Random(row).random()},x\n" for row in range(2_000))
    packed = gzip.compress(b"a,b\n" + noise.encode())

    assert "cut short" in refusal(tmp_path, packed[:-200]).message


@pytest.mark.parametrize("start", ["1.5", "word"])
def test_bytes_invalid_in_every_encoding_are_refused_however_late(
    tmp_path: Path, start: str
) -> None:
    text = b"n,x\n" + f"1,{start}\n".encode() * 60_000

    assert "neither" in refusal(tmp_path, text + b"2,\x81\xe4\n").message


def test_a_non_ascii_word_may_come_late_among_numbers(tmp_path: Path) -> None:
    table = read(tmp_path, b"n,x\n" + b"1,1.50\n" * 60_000 + "2,größe\n".encode("cp1252"))

    assert table["x"][0].as_py() == "1.50"
    assert table["x"][-1].as_py() == "größe"


def test_lines_may_be_longer_than_the_sample(tmp_path: Path) -> None:
    cells = [f"{letter} " * 50_000 + "end" for letter in "abcdefghijklmnopqrstuvwxyz"]
    lines = [f"{at};{cell}" for at, cell in enumerate(cells)]

    table = read(tmp_path, "n;text\n" + "\n".join(lines))

    assert table["text"].to_pylist() == cells
