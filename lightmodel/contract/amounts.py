"""Amounts: numbers written with grouped digits, a currency, a percent sign, or in parentheses.

`$1,100.90`, `1.234,56 €`, `1'234.50`, `12.5%` (0.125, as Excel's cells of that format hold it), and
`(1.3)` for -1.3.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from lightmodel.contract.cells import parse_number

# Unicode's currency signs
SYMBOLS = "$¢£¤¥֏؋߾߿৲৳৻૱௹฿៛\u20a0-\u20c0\ua838\ufdfc\ufe69\uff04\uffe0\uffe1\uffe5\uffe6"
CODES = (
    "AED|ARS|AUD|BDT|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KES|"
    "KRW|KZT|MAD|MXN|MYR|NGN|NOK|NZD|PEN|PHP|PKR|PLN|QAR|RON|RSD|RUB|SAR|SEK|SGD|THB|TND|TRY|TWD|UAH|"
    "USD|UYU|VND|ZAR|kr\\.|kr|zł|Kč|Ft|lei|Rs\\.|Rs|SFr\\.|Fr\\."
)
CURRENCY = f"[A-Z]{{0,3}}[{SYMBOLS}]|{CODES}"  # with the country before the sign: US$, R$
BLANKS, APOSTROPHES, MINUS = " \u00a0\u202f\u2009", "'\u2019", "\u2212"
# the ways to write one mark, each to its canonical one
CANONICAL = dict.fromkeys(BLANKS, " ") | dict.fromkeys(APOSTROPHES, "'") | {MINUS: "-"}
_CANONICAL = str.maketrans(CANONICAL)
BRACKETED, UNBRACKETED = r"([^(]*)\((.*)\)", r"-\1\2"
_PATTERN = re.compile(r"([^#0]*?)(?:#(.)##)?0([.,])##(%?)")


@dataclass(frozen=True)
class AmountFormat:
    """How all amounts of a column are written.

    Attributes:
        currency: the sign, or the code, before or after the number; "" for none.
        group: the mark between groups of digits: , . ' or a blank; "" for none.
        decimal: the decimal mark.
        percent: whether a percent sign follows the number.
    """

    KIND: ClassVar = "amount"
    currency: str = ""
    group: str = ""
    decimal: str = "."
    percent: bool = False

    def __str__(self) -> str:
        """Return the format as `Column.format` holds it, after the pattern of number formats."""
        group = f"#{self.group}##" if self.group else ""
        return f"{self.KIND} {self.currency}{group}0{self.decimal}##{'%' * self.percent}"

    @classmethod
    def from_pattern(cls, pattern: str) -> "AmountFormat":
        """Return the format of a pattern, the part of `str(format)` after its kind."""
        match = _PATTERN.fullmatch(pattern)
        if match is None:
            raise ValueError(f"{pattern!r} is not a pattern of amounts")
        currency, group, decimal, percent = match.groups(default="")
        return cls(currency, group, decimal, bool(percent))

    @property
    def number(self) -> str:
        """The regular expression of a number with its groups and its decimals, without a sign."""
        mark = re.escape(self.decimal)
        whole = "[0-9]+"
        if self.group:
            group, fewest = re.escape(self.group), 2 if self.group == "," else 3  # as in India
            whole = f"(?:[1-9][0-9]{{0,2}}(?:{group}[0-9]{{{fewest},3}})*{group}[0-9]{{3}}|[0-9]+)"
        return f"(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+)"

    @property
    def pattern(self) -> str:
        """The regular expression of an amount with at most one of its three signs, and no brackets."""
        unit = f"(?:{re.escape(self.currency)})?" if self.currency else ""
        number = f"({self.number}) ?" + ("(%?)" if self.percent else f"(){unit}")
        return f"([+-]?) ?{unit} ?([+-]?) ?{number}(-?)"

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        return re.compile(self.pattern), re.compile(BRACKETED)

    def parse(self, texts: Sequence[str], decimal: str = ".") -> list[float]:
        """Return the number that each stripped text means; MISSING or INVALID for others.

        A text that is not written in this format may be a plain number with the mark `decimal`.
        """
        return [self._number(text, decimal) for text in texts]

    def _number(self, text: str, decimal: str) -> float:
        amount, bracketed = self._patterns
        inner = text.translate(_CANONICAL)
        if brackets := bracketed.fullmatch(inner):
            inner = brackets.expand(UNBRACKETED)
        match = amount.fullmatch(inner)
        if match is None or len(signs := match[1] + match[2] + match[5]) > 1:
            return parse_number(text, (), decimal)
        digits = match[3].replace(self.group, "") if self.group else match[3]
        size = float(digits.replace(self.decimal, ".") + ("e-2" if match[4] else ""))
        return -size if signs == "-" else size
