"""Decide which texts are no categories: sentences, names, and too many values, scored by their words."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_FEW = 50  # distinct texts, from whose words nothing can be learnt
_MANY, _TOO_MANY = 100, 1_000  # distinct texts: categories, if each has many rows; never categories
_ROWS_EACH = 25  # of a category; docs/decisions/0026 has the measurements
_NEARLY_UNIQUE = 0.9  # of the rows
_SAMPLE = 10_000  # distinct texts whose words are counted
_SENTENCE, _NAME = 3.0, 1.5  # words in the average text


def is_free_text(distinct: "pa.Array", rows: int) -> bool:
    """Return whether texts are sentences, names, or too many to be categories.

    A single word that is another one in nearly each row is no text: it identifies the row.

    Args:
        distinct: the distinct texts of a column, without missing ones.
        rows: the number of rows that have a text.
    """
    count = len(distinct)
    if count <= _FEW:
        return False
    words = _words(distinct)
    if words >= _SENTENCE and count > rows / 2:
        return True
    are_rare = count > _MANY and rows < _ROWS_EACH * count
    return (are_rare or count > _TOO_MANY) and (words >= _NAME or count <= _NEARLY_UNIQUE * rows)


def are_sentences(texts: "pa.ChunkedArray | pa.Array") -> bool:
    """Return whether texts have three words or more on average."""
    return _words(texts) >= _SENTENCE


def _words(texts: "pa.ChunkedArray | pa.Array") -> float:
    """Return the words in the average text."""
    import pyarrow.compute as pc

    counts = pc.count_substring_regex(texts.slice(0, _SAMPLE), r"\S+")
    return float(pc.mean(counts).as_py() or 0.0)
