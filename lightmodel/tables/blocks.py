"""Blocks of validated rows, and the report on all blocks of a request."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lightmodel.contract.cells import Codes, Matrix
from lightmodel.errors import SHOWN_ROWS, Violation

if TYPE_CHECKING:  # Arrow is slow to import
    import pyarrow as pa


@dataclass(frozen=True)
class Block:
    """Some rows of a request, and their violations.

    Attributes:
        features: (rows, features) in training order; NaN is missing, categories are codes.
        ids: the ids of the rows, unchanged; None if the request has no id column.
        violations: with rows counted from 1 within this block.
        warnings: violations of tolerated rules: they are counted, and the rows are scored.
        unseen: column → rows with a category that training never saw, or with a cell in one of `others`
            that is not of its type; scored as missing.
        extra: columns that the contract does not know; dropped.
        lost: column → Excel formulas without a stored value; scored as missing.
        blank: the numbers of rows, from 1, in which no cell had a value; they are left out.
        others: (rows,) `Contract.others`; None if the model needs none of them.
        part: returns the block of the rows at some positions, the blank ones counted; None if it cannot
            be read again, or has no violations.
    """

    features: Matrix
    ids: list[Any] | None
    violations: tuple[Violation, ...]
    unseen: Mapping[str, int]
    extra: tuple[str, ...] = ()
    lost: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[Violation, ...] = ()
    blank: tuple[range, ...] = ()
    others: "pa.Table | None" = None
    part: "Callable[[Codes], Block] | None" = field(default=None, compare=False, repr=False)

    @property
    def more(self) -> tuple["pa.Table", ...]:
        """What a function that scores `features` takes besides: `others`, if there are any."""
        return () if self.others is None else (self.others,)


@dataclass
class ValidationReport:
    """The violations of all blocks so far, with row numbers of the whole request; see `Block`.

    Attributes:
        rows: the rows so far, the blank ones among them.
        scored: those that are not blank.
    """

    rows: int = 0
    scored: int = 0
    unseen: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    out_of_range: Counter[str] = field(default_factory=Counter)
    extra: tuple[str, ...] = ()
    blank: list[range] = field(default_factory=list)
    _by_rule: dict[tuple[str, str, str], Violation] = field(default_factory=dict)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """One violation for each rule that a column breaks, in order of occurrence."""
        return tuple(self._by_rule.values())

    def add(self, block: Block) -> None:
        """Add the next block."""
        for violation in block.violations:
            key = (violation.column, violation.rule, violation.detail)
            before = self._by_rule.get(key, Violation(*key))
            rows = before.rows + tuple(row + self.rows for row in violation.rows)
            total = before.total + violation.total
            self._by_rule[key] = Violation(*key, rows[:SHOWN_ROWS], total)
        for warning in block.warnings:
            counts = self.missing if warning.rule == "missing" else self.out_of_range
            counts[warning.column] += warning.total
        self.unseen.update(block.unseen)
        self.lost.update(block.lost)
        if block.extra != self.extra:
            self.extra = tuple(dict.fromkeys((*self.extra, *block.extra)))
        self.scored += len(block.features)
        start = self.rows
        self.rows += len(block.features)
        for gap in block.blank:
            self._add_blank(range(gap.start + start, gap.stop + start))

    def _add_blank(self, rows: range) -> None:
        self.rows += len(rows)
        if self.blank and self.blank[-1].stop == rows.start:
            rows = range(self.blank.pop().start, rows.stop)
        self.blank.append(rows)
