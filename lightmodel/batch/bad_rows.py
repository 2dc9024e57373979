"""Separate the rows of a block that break the contract from the others."""

from dataclasses import dataclass, field

import numpy as np

from lightmodel.contract.cells import Codes
from lightmodel.errors import ContractViolation, Violation
from lightmodel.tables.blocks import Block


@dataclass
class Separated:
    """The rows of a block.

    Attributes:
        good: the block of those that can be scored; None if there are none.
        bad: position → violations, of all others.
    """

    good: Block | None = None
    bad: dict[int, tuple[Violation, ...]] = field(default_factory=dict)


def separate(block: Block) -> Separated:
    """Return the good and the bad rows of a block.

    Raises:
        ContractViolation: rows break a rule only together, or cannot be read one by one.
    """
    if block.part is None:
        raise ContractViolation(block.violations, what="the block")
    separated = Separated()
    blank = sum(map(len, block.blank))
    rows = np.arange(len(block.features) + blank)
    _collect(block, rows, block, separated.bad)
    good = np.setdiff1d(rows, list(separated.bad))
    if len(good):
        separated.good = block.part(good)
        if separated.good.violations:
            raise ContractViolation(separated.good.violations, what="the block")
    return separated


def _collect(
    whole: Block, rows: Codes, block: Block, bad: dict[int, tuple[Violation, ...]]
) -> None:
    """Add the bad ones among some rows, whose block this is."""
    if not block.violations:
        return
    if len(rows) == 1:
        bad[int(rows[0])] = block.violations
        return
    for part in _parts(rows, block.violations):
        if len(part) and whole.part:
            _collect(whole, part, whole.part(part), bad)


def _parts(rows: Codes, violations: tuple[Violation, ...]) -> list[Codes]:
    """Return parts to look at: each bad row and all others, if all are named, or else halves."""
    if any(not one.rows or len(one.rows) < one.total for one in violations):
        return np.array_split(rows, 2)
    bad = sorted({row - 1 for one in violations for row in one.rows})
    return [*(rows[at : at + 1] for at in bad), np.delete(rows, bad)]
