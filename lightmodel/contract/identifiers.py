"""Find the columns that identify or number the rows: a model can learn only the training rows from them."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import EXACT
from lightmodel.contract.free_text import are_sentences

_ID_NAME = re.compile(
    r"(?i:id|uuid|guid|index|row_?(id|no|number)|id_code|.+[_ .-](id|id_code|uuid|guid))|.*[a-z]I[dD]"
)
# of columns that are called ids if no value repeats
_KEY_NAME = re.compile(
    r"(?i:(.+[_ .-])?(no|nr|nbr|number|key|code|ref|reference|serial)\.?)"
    r"|(?i:case|record|subject|patient|participant|respondent|obs)"
    r"|.*[a-z](No|Nr|Nbr|Number|Key|Code|Ref|Reference)"
)
_ROW_NUMBER_NAME = re.compile(
    r"(?i:unnamed: ?\d+([_.]\d+)*|row[_ .]?(names?|nums?|numbers?)|\.\.\.1)"
)
# numbers that increase from row to row, and are worth learning from
_MEASURE_NAME = re.compile(
    r"(?i:.*(year|month|week|day|date|time|hour|minute|second|quarter|period|season|epoch|age|rank).*|yr|t|x)"
)
_FEW_ROWS = 20  # in which all values may differ by chance
_FIRST_ROWS = 1_000  # rule out most columns without reading all of them
_EXPECTED_REPEATS = 20.0  # of as many whole numbers drawn at random from the same range


@dataclass(frozen=True)
class Identifiers:
    """The columns that identify the rows, by name or by value.

    Attributes:
        id: the column that answers repeat, "" for none.
        others: the other ones, such as row numbers.
    """

    id: str = ""
    others: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all of them, the id first."""
        return ((self.id,) if self.id else ()) + self.others


def find_identifiers(table: pa.Table, names: Sequence[str]) -> Identifiers:
    """Find identifiers among the columns `names` of a table of plain types.

    The id is the first column that is called one and has mostly distinct values, else the first other
    identifier. Row numbers never are the id, because a row has another one in the next table.
    """
    called = next((name for name in names if _is_called_id(name, table[name])), "")
    others = [name for name in names if name != called and _identifies(name, table[name])]
    if not called:
        called = next((name for name in others if not _is_row_number(name, table[name])), "")
    return Identifiers(called, tuple(name for name in others if name != called))


def is_id_name(name: str) -> bool:
    """Return whether a column is called an id, whatever it holds."""
    return _ID_NAME.fullmatch(name) is not None


def says_id(name: str) -> bool:
    """Return whether a column's whole name says that it is the id."""
    return re.fullmatch(r"(?i:id|uuid|guid|id_code|row_?id)", name) is not None


def left_out_warning(names: Sequence[str], id_name: str) -> str:
    """Return the warning that columns which identify the rows are no features."""
    listed, several = ", ".join(map(repr, names)), len(names) > 1
    back = f" ({id_name!r} comes back in each answer)" if id_name in names else ""
    return (
        f"column{'s' if several else ''} {listed} identif{'y' if several else 'ies'} the rows and "
        f"{'are no features' if several else 'is no feature'}{back}; to train on "
        f"{'them' if several else 'it'} all the same, set data.keep = {_as_setting(names)}"
    )


def kept_warning(names: Sequence[str]) -> str:
    """Return the warning that features of the approved model identify the rows."""
    listed, several = ", ".join(map(repr, names)), len(names) > 1
    return (
        f"column{'s' if several else ''} {listed} identif{'y' if several else 'ies'} the rows, but the "
        f"approved model was trained on {'them' if several else 'it'}; to leave "
        f"{'them' if several else 'it'} out, set data.ignore = {_as_setting(names)}"
    )


def _as_setting(names: Iterable[str]) -> str:
    return json.dumps(list(names), ensure_ascii=False)


def _is_called_id(name: str, values: pa.ChunkedArray) -> bool:
    """Return whether name, type and mostly distinct values suggest an id."""
    if not (is_id_name(name) and _may_identify(values)):
        return False
    return bool(pc.count_distinct(values).as_py() >= 0.5 * len(values))


def _may_identify(values: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_integer(values.type) or pa.types.is_string(values.type))


def _identifies(name: str, values: pa.ChunkedArray) -> bool:
    """Return whether a column has another value in each row, and these are no quantity and no text."""
    if not _may_identify(values) or values.null_count or len(values) <= _FEW_ROWS:
        return False
    whole = pa.types.is_integer(values.type)
    named = is_id_name(name) or bool(_ROW_NUMBER_NAME.fullmatch(name))
    if not named and _MEASURE_NAME.fullmatch(name):
        return False
    named = named or (bool(_KEY_NAME.fullmatch(name)) and (whole or not are_sentences(values)))
    if not named and not (_increases(values) if whole else _are_codes(values)):
        return False
    return _are_distinct(values) and (named or not whole or _is_dense(values))


def _are_distinct(values: pa.ChunkedArray) -> bool:
    first = values.slice(0, _FIRST_ROWS)
    return all(pc.count_distinct(part).as_py() == len(part) for part in (first, values))


def _increases(values: pa.ChunkedArray) -> bool:
    parts = (values.slice(0, _FIRST_ROWS), values)
    return all(bool((np.diff(part.to_numpy()) > 0).all()) for part in parts)


def _is_dense(values: pa.ChunkedArray) -> bool:
    """Return whether so many distinct numbers are too close together, or too large, for a quantity.

    Of n numbers drawn at random from a range r, n² / 2 r pairs are expected to be equal.
    """
    low, high = (int(one) for one in pc.min_max(values).as_py().values())
    if low < 0:
        return False
    return high >= EXACT or len(values) ** 2 / (2 * (high - low)) >= _EXPECTED_REPEATS


def _are_codes(values: pa.ChunkedArray) -> bool:
    """Return whether the texts are single words, most of them of letters and digits, or of digits only."""
    return all(map(_look_like_codes, (values.slice(0, _FIRST_ROWS), values)))


def _look_like_codes(values: pa.ChunkedArray) -> bool:
    if pc.any(pc.match_substring_regex(values, r"\s")).as_py():
        return False
    digits, letters, only_digits = (
        pc.mean(pc.match_substring_regex(values, pattern).cast(pa.float64())).as_py()
        for pattern in ("[0-9]", r"\pL", "^[0-9]+$")
    )
    return bool(only_digits == 1 or min(digits, letters) > 0.5)


def _is_row_number(name: str, values: pa.ChunkedArray) -> bool:
    """Return whether a column is called a row number, or counts the rows from 0 or 1."""
    if not pa.types.is_integer(values.type):
        return False
    if _ROW_NUMBER_NAME.fullmatch(name):
        return True
    numbers = values.to_numpy()
    return int(numbers[0]) in {0, 1} and int(numbers[-1]) - int(numbers[0]) == len(numbers) - 1
