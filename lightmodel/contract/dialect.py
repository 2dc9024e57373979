"""How a table of text was written, so that later tables are read by the same rules."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """What was found out once about the training table's text.

    What is the same for every table (blanks, the words for true and false, how numbers are written)
    stands in `cells`.

    Attributes:
        delimiter: one ASCII character between two cells, " " for any number of blanks; "" when the
            training table was no CSV, so that it is not known.
        quote: what texts are quoted by.
        decimal: the decimal mark; "" when no number had one.
        encoding: Python's name of it.
        columns: the names of the cells of a row, "" for one that is left out, where they do not
            stand in the first line; else ().
        header: what stands in the first line instead of `columns`; () when that is data.
        na_values: cells that mean no value, "" among them.
    """

    delimiter: str = ""
    quote: str = '"'
    decimal: str = ""
    encoding: str = "utf-8"
    columns: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    na_values: tuple[str, ...] = ("",)

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value not in ("", ())}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Dialect":
        """Return what `to_dict` was called on."""
        lists = {name: tuple(value) for name, value in content.items() if isinstance(value, list)}
        return cls(**{**content, **lists})
