"""Hash the character n-grams and the words of texts: the same bits in training and in serving.

A text is a row of code points. The hash of a span of them is a difference of two prefix sums of a
polynomial in 2^64 arithmetic, so that all spans of all texts are hashed in a few passes of NumPy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Buckets = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

MAX_CHARACTERS = 10_000  # of a text; what follows is not read
CHUNK_CHARACTERS = 1 << 14  # hashed at a time: what bounds the memory of a request
SIZES = (3, 4, 5)  # of the n-grams
WORDS = (1, 2)  # of the sequences of words
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SALTS = (0x2545F4914F6CDD1D, 0xD6E8FEB86659FD93)  # words differ from n-grams with a blank


@dataclass(frozen=True)
class Spans:
    """The spans of some texts: of each kind (a length, in characters or words), text by text.

    Attributes:
        buckets: (spans,) the bucket of each.
        first: (kinds, texts) the first span of a kind and a text.
        end: (kinds, texts) the one behind the last.
    """

    buckets: Buckets
    first: Buckets
    end: Buckets

    @property
    def counts(self) -> Buckets:
        """The number of spans of each text."""
        counts: Buckets = (self.end - self.first).sum(axis=0)
        return counts


class HashedTexts:
    """Some texts, with lower-case letters and single blanks, and the prefix sums of their hashes."""

    def __init__(self, texts: Sequence[str]) -> None:
        plain = [f" {' '.join(text[:MAX_CHARACTERS].lower().split())} " for text in texts]
        codes = np.frombuffer("".join(plain).encode("utf-32-le", "surrogatepass"), np.uint32)
        self._end = np.cumsum([len(text) for text in plain], dtype=np.int64)
        self._first = np.concatenate([np.zeros(1, np.int64), self._end[:-1]])
        self._blanks = np.flatnonzero(codes == ord(" "))
        powers, self._inverses = (_powers(base, len(codes) + 1) for base in (_BASE, _INVERSE))
        values = (codes.astype(np.uint64) + np.uint64(1)) * _MIX
        values ^= values >> np.uint64(29)
        self._sums = np.zeros(len(codes) + 1, np.uint64)
        np.cumsum(values * powers[:-1], out=self._sums[1:])

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self._end)

    def spans(self, bits: int) -> Spans:
        """Return all spans, hashed to 2**bits buckets."""
        hashes, first, end, before = [], [], [], 0
        for kind, starts, ends in self._kinds():
            hashes.append(kind)
            begin = np.minimum(starts, len(kind))  # a text may be too short to have any
            first.append(begin + before)
            end.append(np.maximum(begin, ends) + before)
            before += len(kind)
        mixed = np.concatenate(hashes)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * _MIX
        buckets = (mixed >> np.uint64(64 - bits)).astype(np.int64)
        return Spans(buckets, np.array(first), np.array(end))

    def _kinds(self) -> Iterator[tuple[Hashes, Buckets, Buckets]]:
        """Yield the hashes of each kind, and where those of each text begin and end."""
        for size in SIZES:
            hashes = (self._sums[size:] - self._sums[:-size]) * self._inverses[:-size]
            yield hashes, self._first, self._end - size + 1
        first, end = (np.searchsorted(self._blanks, at) for at in (self._first, self._end))
        for words, salt in zip(WORDS, _SALTS, strict=True):
            hashes = self._hashes(self._blanks[:-words], self._blanks[words:])
            yield hashes ^ np.uint64(salt), first, end - words

    def _hashes(self, first: Buckets, end: Buckets) -> Hashes:
        hashes: Hashes = (self._sums[end] - self._sums[first]) * self._inverses[first]
        return hashes


def _powers(base: np.uint64, count: int) -> Hashes:
    powers = np.full(count, base, np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


def chunks(texts: Sequence[str]) -> Iterator[tuple[int, HashedTexts]]:
    """Yield the texts a few at a time, each with the position of its first."""
    start = size = 0
    for at, text in enumerate(texts):
        length = min(len(text), MAX_CHARACTERS)
        if size + length > CHUNK_CHARACTERS and at > start:
            yield start, HashedTexts(texts[start:at])
            start, size = at, 0
        size += length
    if start < len(texts):
        yield start, HashedTexts(texts[start:])
