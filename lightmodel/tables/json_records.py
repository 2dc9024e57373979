"""The records of JSON in blocks: their names, whole lines of JSON Lines, and integers of any length."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice

from lightmodel.contract.cells import normalize_name
from lightmodel.errors import TooLarge
from lightmodel.tables.byte_stream import Chunks
from lightmodel.tables.json_text import Load, Record, load_exactly, load_json, parse_json_lines

LONGEST_LINE = 8 << 20


class RecordBlocks:
    """The records of a document in blocks, which are decoded again where integers lost digits.

    Args:
        decode: returns all blocks, decoded by a function.
    """

    def __init__(self, decode: Callable[[Load], Iterator[Sequence[Record]]]) -> None:
        self._decode = decode
        self._blocks = decode(load_json)
        self._current: Sequence[Record] = ()
        self._count = 0
        self._is_exact = False

    def __iter__(self) -> Iterator[Sequence[Record]]:
        while (block := next(self._blocks, None)) is not None:
            self._current = block
            self._count += 1
            yield block

    def exactly(self) -> Sequence[Record]:
        """Return the current block with integers of any length; the later ones will have them too."""
        if not self._is_exact:
            self._is_exact = True
            self._blocks = islice(self._decode(load_exactly), self._count - 1, None)
            self._current = next(self._blocks)
        return self._current


def exact_lines(text: bytes, start: int, count: int) -> Iterator[Record]:
    """Return `count` records of JSON Lines from the one at `start` on, with integers of any length."""
    return islice(parse_json_lines(text, load=load_exactly), start, start + count)


def normalize_names(
    names: tuple[str, ...], records: Sequence[Record]
) -> tuple[tuple[str, ...], Sequence[Record]]:
    """Return names and records with names written as in the contract."""
    clean = _normalized(names)
    if clean == names:
        return names, records
    known: Mapping[str, str] = dict(zip(names, clean, strict=True))
    return clean, [{known[name]: value for name, value in one.items()} for one in records]


@lru_cache(16)
def _normalized(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(normalize_name, names))


def names_of(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the names of all columns, in order of occurrence."""
    first = records[0].keys()
    if len(records) == 1 or all(record.keys() == first for record in records):
        return tuple(first)
    return tuple(dict.fromkeys(chain.from_iterable(records)))


def whole_lines(chunks: Chunks) -> Chunks:
    """Yield a text in chunks of whole lines.

    Raises:
        TooLarge: a line has more than 8 MB.
    """
    left = b""
    for chunk in chunks:
        text = left + chunk
        cut = text.rfind(b"\n") + 1
        left = text[cut:]
        if cut:
            yield text[:cut]
        if len(left) > LONGEST_LINE:
            raise TooLarge(f"a line is longer than {LONGEST_LINE >> 20} MB")
    if left:
        yield left
