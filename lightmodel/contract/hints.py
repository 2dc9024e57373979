"""The settings that guide the inference of a contract, and what they say about columns by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import pyarrow as pa

from lightmodel.contract.identifiers import is_id_name
from lightmodel.errors import DataError


@dataclass(frozen=True)
class ColumnHints:
    """Settings that guide the inference of a contract; see docs/config.md.

    Attributes:
        accepted: the features of the approved model, which stay features.
        time: the column by whose time the table is split.
        group: the column whose values are kept together by the split.
        weight: the column with the weights of the rows, which is ignored as well.
    """

    target: str
    id: str = "auto"
    ignore: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    task: str = "auto"
    positive: str = "auto"
    time: str = ""
    dates: str = "auto"
    text: tuple[str, ...] = ()
    accepted: frozenset[str] = frozenset()
    group: str = ""
    weight: str = ""

    @property
    def unused(self) -> tuple[str, ...]:
        """The ignored columns by which the table is not split either: only features() may use them."""
        return tuple(name for name in self.ignore if name not in {self.time, self.group})


def require_column(table: pa.Table, name: str, setting: str) -> None:
    """Raise a DataError that lists the columns if `name`, from this setting, is none; "" is ignored."""
    if not name or name in table.column_names:
        return
    known = ", ".join(table.column_names[:20]) + (", …" if table.num_columns > 20 else "")
    near = get_close_matches(name, table.column_names, n=1)
    raise DataError(
        f"the table has no column {name!r}, which {setting} names; it has {known}",
        hint=f"correct {setting}"
        + (f": is it {near[0]!r}?" if near else "; a file without a header needs data.columns"),
    )


def texts_as_they_are(names: Sequence[str], hints: ColumnHints) -> set[str]:
    """Return the names of columns whose texts no format reads: ids, ignored ones, and free text."""
    ids = {name for name in names if is_id_name(name)} if hints.id == "auto" else {hints.id}
    return (ids | {*hints.ignore, *hints.text}) - {hints.target}
