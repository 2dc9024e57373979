"""Small tables like those of users, each with the frame that pandas reads from it.

In every table `y` depends on a number `a` and on the column under test, so that a cell that is read
differently gets another score.
"""

import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from lightmodel.config import DataSection

Frame = pd.DataFrame
NA = DataSection().na_values
ROWS = 150


@dataclass(frozen=True)
class Case:
    """A training table, and the forms in which a user may send it.

    Attributes:
        content: the bytes of the file.
        frame: the frame that pandas reads from it.
        settings: all but data.source; data.target defaults to y.
        file: the name of the file.
        encoding: the encoding of the text; "" for a file that is not a CSV.
        ids: the ids as the file has them; None without an id column.
        without: formats that cannot hold these values.
        variants: frames with the same values in other types.
    """

    content: bytes
    frame: Frame
    settings: Mapping[str, object] = field(default_factory=dict)
    file: str = "rows.csv"
    encoding: str = "utf-8"
    ids: Sequence[str] | None = None
    without: frozenset[str] = frozenset()
    variants: Mapping[str, Frame] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text of a CSV."""
        data = self.content
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode(self.encoding)


def of_text(
    text: str,
    *,
    encoding: str = "utf-8",
    pack: Callable[[bytes], bytes] = bytes,
    settings: Mapping[str, object] | None = None,
    ids: Sequence[str] | None = None,
    without: Sequence[str] = (),
    variants: Mapping[str, Callable[[Frame], Frame]] | None = None,
    **pandas: Any,
) -> Case:
    """Return the case of a CSV."""
    options = {"keep_default_na": False, "na_values": list(NA), **pandas}
    frame = pd.read_csv(io.StringIO(text.removeprefix("\ufeff"), newline=""), **options)
    return Case(
        pack(text.encode(encoding)),
        frame,
        settings or {},
        encoding=encoding,
        ids=ids,
        without=frozenset(without),
        variants={name: change(frame.copy()) for name, change in (variants or {}).items()},
    )


@dataclass(frozen=True)
class Row:
    """One row: its number, a feature `a`, the index of one of three values, and the label `y`."""

    at: int
    a: str
    pick: int
    y: int


@cache
def rows(count: int = ROWS, seed: int = 0) -> tuple[Row, ...]:
    """Return rows whose label depends on both values."""
    random = np.random.default_rng(seed)
    made = []
    for at in range(count):
        a, pick = random.random(), int(random.integers(0, 3))
        y = int(a + 0.6 * (pick == 0) + 0.05 * random.normal() > 0.8)
        made.append(Row(at, f"{a:.3f}", pick, y))
    return tuple(made)


def lines(
    header: str, write: Callable[[Row], str], end: str = "\n", made: Sequence[Row] | None = None
) -> str:
    """Return a table with one line per row; an empty header is left out."""
    written = [write(row) for row in (made or rows())]
    return end.join([*([header] if header else []), *written, ""])


def picked(values: Sequence[str], **options: Any) -> Case:
    """Return the case of a plain CSV whose column `c` has one of some texts."""
    text = lines("a,c,y", lambda row: f"{row.a},{values[row.pick % len(values)]},{row.y}")
    return of_text(text, **options)


def any_of(row: Row, values: Sequence[str]) -> str:
    """Return one of several spellings of a value; the rows use them in turn."""
    return values[row.at % len(values)]
