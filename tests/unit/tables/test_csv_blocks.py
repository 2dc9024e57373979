"""CSV bodies read by the contract: unusual headers, other delimiters, and limits."""

import gzip
from collections.abc import Iterator

import numpy as np
import pytest

from lightmodel.config import DataSection
from lightmodel.contract.columns import Column, ColumnType, Contract, Dialect, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError, DataError, TooLarge
from lightmodel.tables.arrow_rows import read_rows
from lightmodel.tables.base import configured_dialect
from lightmodel.tables.byte_stream import Utf8Stream, decompress, peek, rechunk
from lightmodel.tables.csv_blocks import CsvBlocks
from lightmodel.tables.csv_header import LONGEST_ROW
from lightmodel.tables.row_rules import RowRules

CONTRACT = Contract(
    (
        Column("row", Role.ID, ColumnType.INTEGER, missing=True),
        Column("first", Role.FEATURE, ColumnType.NUMBER, missing=False, minimum=-9.0, maximum=9.0),
        Column(
            "second name", Role.FEATURE, ColumnType.NUMBER, missing=True, minimum=0, maximum=9.0
        ),
        Column("y", Role.TARGET, ColumnType.NUMBER, missing=False, minimum=0, maximum=1),
    ),
    Task(TaskKind.REGRESSION),
)


def features(text: str, most: int = 10, **options: object) -> list[list[float]]:
    section = DataSection.model_validate(options)
    reader = CsvBlocks(RowRules(CONTRACT), read_rows, configured_dialect(section), most)
    blocks = list(reader.read(iter([text[:9].encode(), text[9:].encode()])))
    assert not any(block.violations for block in blocks)
    found: list[list[float]] = np.concatenate([block.features for block in blocks]).tolist()
    return found


@pytest.mark.parametrize(
    "text",
    [
        "first,second name\n1.5,2\n-3,4\n",
        '\n\n "second name" ; "first"\n2;1,5\n4;-3\n',
        "first\tsecond name\r\n1.5\t2\r\n-3\t4",
        "first|second name\n1.5|2\n-3|4\n",
        'first,"second name"\n"1,5","2"\n"-3,0","4"\n',
    ],
)
def test_the_delimiter_is_the_one_that_yields_the_contracts_names(text: str) -> None:
    assert features(text) == [[1.5, 2.0], [-3.0, 4.0]]


def test_blanks_may_delimit_cells() -> None:
    narrow = Contract(tuple(c for c in CONTRACT.columns if c.name != "second name"), CONTRACT.task)
    reader = CsvBlocks(RowRules(narrow), read_rows, Dialect(), 10)
    blocks = list(reader.read(iter([b"row   first\n1     2.5\n2    -3\n"])))
    assert [one for block in blocks for one in block.ids or ()] == [1, 2]
    assert [one for block in blocks for one in block.features.tolist()] == [[2.5], [-3.0]]


def test_a_table_without_a_header_is_read_by_the_settings_names() -> None:
    assert features("1.5,2\n-3,4\n", columns=["first", "second name"]) == [[1.5, 2.0], [-3.0, 4.0]]


def test_ids_are_unchanged_unless_they_are_plain_integers() -> None:
    reader = CsvBlocks(RowRules(CONTRACT), read_rows, Dialect(), 10)
    text = b"row,first,second name\n7,1,1\n007,1,1\nx,1,1\n,1,1\n"
    blocks = reader.read(iter([text]))
    assert [one for block in blocks for one in block.ids or ()] == [7, "007", "x", ""]


def test_too_many_columns_and_too_long_rows_are_refused() -> None:
    with pytest.raises(TooLarge, match="3 columns"):
        features("first,second name,more\n1,2,3\n", most=2)
    with pytest.raises(TooLarge, match="first line is longer"):
        list(_blocks(b"x" * LONGEST_ROW, b"x"))
    with pytest.raises(DataError, match="holds a header and no rows"):
        features("first,second name\n\n")
    with pytest.raises(DataError, match="is empty"):
        features(" \n ")


def _blocks(*chunks: bytes) -> Iterator[object]:
    return CsvBlocks(RowRules(CONTRACT), read_rows, Dialect(), 10).read(iter(chunks))


def test_chunks_are_joined_and_peeked_at_without_loss() -> None:
    assert list(rechunk(iter([b"ab", b"c", b"", b"de"]), 3)) == [b"abc", b"de"]
    first, again = peek(iter([b"a", b"b", b"c"]), 2)
    assert (first, b"".join(again)) == (b"ab", b"abc")
    assert list(decompress(iter([b"plain"]), 10)) == [b"plain"]


def test_a_character_may_be_split_between_two_chunks() -> None:
    word = "Stra\u00dfe \U0001f600".encode()
    for cut in range(len(word)):
        assert b"".join(Utf8Stream(iter([word[:cut], word[cut:]]))) == word
    latin = "Stra\u00dfe".encode("latin-1")
    assert b"".join(Utf8Stream(iter([latin]), encoding="latin-1")).decode() == "Stra\u00dfe"
    with pytest.raises(DataError, match="UTF-8 throughout"):
        list(Utf8Stream(iter([latin])))
    with pytest.raises(ConfigError, match="no encoding"):
        Utf8Stream(iter([b"a"]), encoding="klingon")


def test_the_fallback_encoding_is_used_if_the_first_non_ascii_character_is_not_utf8() -> None:
    plain = b"a,b\n" * 3
    for word in ("Stra\u00dfe", "\u00df"):
        for cut in range(4):
            latin, utf8 = word.encode("cp1252"), word.encode()
            for text in (latin, utf8):
                found = Utf8Stream(iter([plain, text[:cut], text[cut:]]), fallback="cp1252")
                assert b"".join(found).decode() == plain.decode() + word
                assert found.encoding == ("cp1252" if text is latin else "utf-8")
    found = Utf8Stream(iter([plain]), fallback="cp1252")
    assert (b"".join(found), found.encoding) == (plain, "ascii")
    with pytest.raises(DataError, match="neither UTF-8 nor Windows-1252"):
        list(Utf8Stream(iter([b"\x81\xe4"]), fallback="cp1252"))


def test_all_members_of_a_gzip_are_decompressed() -> None:
    members = [gzip.compress(text) for text in (b"ab", b"", b"c" * 100_000)]
    packed = b"".join(members) + b"\0" * 512
    for size in (1, 7, 1000):
        chunks = (packed[at : at + size] for at in range(0, len(packed), size))
        assert b"".join(decompress(chunks)) == b"ab" + b"c" * 100_000
    for wrong, words in ((packed + b"xyz", "damaged"), (members[0] + members[2][:-3], "cut short")):
        with pytest.raises(DataError, match=words):
            list(decompress(iter([wrong])))
    with pytest.raises(TooLarge):
        list(decompress(iter([packed]), 1000))
