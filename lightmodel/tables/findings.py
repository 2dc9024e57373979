"""What was found in a request's rows, block after block."""

from collections import Counter
from dataclasses import dataclass, field

from lightmodel.errors import SHOWN_ROWS, Violation
from lightmodel.tables.row_rules import Block


@dataclass
class Findings:
    """Everything wrong in all blocks so far, with row numbers of the whole request.

    Attributes:
        rows: so far.
        unseen: column → rows with a category that training never saw.
        extra: columns that the contract does not know.
    """

    rows: int = 0
    unseen: Counter[str] = field(default_factory=Counter)
    extra: tuple[str, ...] = ()
    _wrong: dict[tuple[str, str, str], Violation] = field(default_factory=dict)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """One for each rule that a column breaks, in the order in which they were met."""
        return tuple(self._wrong.values())

    def add(self, block: Block) -> None:
        """Take up the next block."""
        for found in block.violations:
            key = (found.column, found.rule, found.detail)
            before = self._wrong.get(key, Violation(*key))
            rows = before.rows + tuple(row + self.rows for row in found.rows)
            total = before.total + found.total
            self._wrong[key] = Violation(*key, rows[:SHOWN_ROWS], total)
        self.unseen.update(block.unseen)
        self.extra = block.extra or self.extra
        self.rows += len(block.features)
