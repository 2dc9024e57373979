"""Small tables as people have them, each with a frame that pandas makes of it.

In every table `y` depends on a number `a` and on the column that the table is about, so that a cell
read otherwise is scored otherwise.
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
    """A training table, and what a user who has it may send.

    Attributes:
        content: of the file.
        frame: what pandas makes of it.
        settings: besides the source; `data.target` is y unless it says otherwise.
        file: its name.
        encoding: of its text; "" where it is no CSV.
        ids: as they stand in the file, where there is an id.
        without: forms that cannot hold these values.
        variants: frames that hold the same values in other types.
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
    """One row to write: a number, which of three values, and the label that follows."""

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
    """Write a table with a row to a line; an empty header is left out."""
    written = [write(row) for row in (made or rows())]
    return end.join([*([header] if header else []), *written, ""])


def picked(values: Sequence[str], **options: Any) -> Case:
    """Return the case of a plain CSV whose column `c` has one of some texts."""
    text = lines("a,c,y", lambda row: f"{row.a},{values[row.pick % len(values)]},{row.y}")
    return of_text(text, **options)


def any_of(row: Row, values: Sequence[str]) -> str:
    """Return one of several ways to write a row's value, all of them used."""
    return values[row.at % len(values)]
