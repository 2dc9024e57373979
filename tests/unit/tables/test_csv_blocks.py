"""CSV bodies by the contract: odd headers, other delimiters, and limits."""

import gzip
from collections.abc import Iterator

import numpy as np
import pytest

from lightmodel.config import DataSection
from lightmodel.contract.columns import Column, ColumnType, Contract, Dialect, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError, DataError, TooLarge
from lightmodel.tables.arrow_rows import read_rows
from lightmodel.tables.base import given_dialect
from lightmodel.tables.byte_stream import Utf8, gathered, peeked, unpacked
from lightmodel.tables.csv_blocks import LONGEST_ROW, CsvBlocks
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
    reader = CsvBlocks(RowRules(CONTRACT), read_rows, given_dialect(section), most)
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
def test_the_delimiter_is_the_one_that_gives_the_contracts_names(text: str) -> None:
    assert features(text) == [[1.5, 2.0], [-3.0, 4.0]]


def test_blanks_may_part_cells() -> None:
    narrow = Contract(tuple(c for c in CONTRACT.columns if c.name != "second name"), CONTRACT.task)
    reader = CsvBlocks(RowRules(narrow), read_rows, Dialect(), 10)
    blocks = list(reader.read(iter([b"row   first\n1     2.5\n2    -3\n"])))
    assert [one for block in blocks for one in block.ids or ()] == [1, 2]
    assert [one for block in blocks for one in block.features.tolist()] == [[2.5], [-3.0]]


def test_a_table_without_a_header_is_read_by_the_settings_names() -> None:
    assert features("1.5,2\n-3,4\n", columns=["first", "second name"]) == [[1.5, 2.0], [-3.0, 4.0]]


def test_ids_come_as_they_came_unless_they_are_plain_whole_numbers() -> None:
    reader = CsvBlocks(RowRules(CONTRACT), read_rows, Dialect(), 10)
    text = b"row,first,second name\n7,1,1\n007,1,1\nx,1,1\n,1,1\n"
    blocks = reader.read(iter([text]))
    assert [one for block in blocks for one in block.ids or ()] == [7, "007", "x", ""]


def test_what_is_too_much_is_refused() -> None:
    with pytest.raises(TooLarge, match="3 columns"):
        features("first,second name,more\n1,2,3\n", most=2)
    with pytest.raises(TooLarge, match="first line is longer"):
        list(_blocks(b"x" * LONGEST_ROW, b"x"))
    with pytest.raises(DataError, match="holds a header and no rows"):
        features("first,second name\n\n")
    with pytest.raises(DataError, match="is empty"):
        features(" \n ")


def _blocks(*pieces: bytes) -> Iterator[object]:
    return CsvBlocks(RowRules(CONTRACT), read_rows, Dialect(), 10).read(iter(pieces))


def test_pieces_are_put_together_and_looked_at_without_being_lost() -> None:
    assert list(gathered(iter([b"ab", b"c", b"", b"de"]), 3)) == [b"abc", b"de"]
    first, again = peeked(iter([b"a", b"b", b"c"]), 2)
    assert (first, b"".join(again)) == (b"ab", b"abc")
    assert list(unpacked(iter([b"plain"]), 10)) == [b"plain"]


def test_a_character_may_be_cut_between_two_pieces() -> None:
    word = "Stra\u00dfe \U0001f600".encode()
    for cut in range(len(word)):
        assert b"".join(Utf8(iter([word[:cut], word[cut:]]))) == word
    latin = "Stra\u00dfe".encode("latin-1")
    assert b"".join(Utf8(iter([latin]), told="latin-1")).decode() == "Stra\u00dfe"
    with pytest.raises(DataError, match="UTF-8 throughout"):
        list(Utf8(iter([latin])))
    with pytest.raises(ConfigError, match="no encoding"):
        Utf8(iter([b"a"]), told="klingon")


def test_another_encoding_is_tried_where_the_first_character_beyond_ascii_is_not_utf8() -> None:
    plain = b"a,b\n" * 3
    for word in ("Stra\u00dfe", "\u00df"):
        for cut in range(4):
            latin, utf8 = word.encode("cp1252"), word.encode()
            for text in (latin, utf8):
                found = Utf8(iter([plain, text[:cut], text[cut:]]), fallback="cp1252")
                assert b"".join(found).decode() == plain.decode() + word
                assert found.encoding == ("cp1252" if text is latin else "utf-8")
    found = Utf8(iter([plain]), fallback="cp1252")
    assert (b"".join(found), found.encoding) == (plain, "ascii")
    with pytest.raises(DataError, match="neither UTF-8 nor Windows-1252"):
        list(Utf8(iter([b"\x81\xe4"]), fallback="cp1252"))


def test_all_members_of_a_gzip_are_unpacked() -> None:
    members = [gzip.compress(text) for text in (b"ab", b"", b"c" * 100_000)]
    packed = b"".join(members) + b"\0" * 512
    for size in (1, 7, 1000):
        pieces = (packed[at : at + size] for at in range(0, len(packed), size))
        assert b"".join(unpacked(pieces)) == b"ab" + b"c" * 100_000
    for wrong, words in ((packed + b"xyz", "damaged"), (members[0] + members[2][:-3], "cut short")):
        with pytest.raises(DataError, match=words):
            list(unpacked(iter([wrong])))
    with pytest.raises(TooLarge):
        list(unpacked(iter([packed]), 1000))
