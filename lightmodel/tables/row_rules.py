"""Rows of a request: columns matched by name, cells validated by the contract, all violations reported.

Rows come in blocks, as numbers in training order. The rules are those of `check`, which holds
whole tables against the same contract.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from lightmodel.contract.cells import (
    NOT_THERE,
    UNSEEN,
    Categories,
    Matrix,
    is_marked,
    numbers_in,
)
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.errors import SHOWN_ROWS, ContractViolation, Violation
from lightmodel.tables.check import number_violations, wrong_names
from lightmodel.tables.row_readers import CellKind

_REMEMBERED = 16  # orders of columns


@dataclass(frozen=True)
class Block:
    """Some rows of a request, and what is wrong with them.

    Attributes:
        features: (rows, features) in training order; NaN is missing, categories are codes.
        ids: of the rows, as they came; None where the request has no such column.
        violations: rows are counted from 1 within this block.
        unseen: column → rows with a category that training never saw; scored as missing.
        extra: columns that the contract does not know; left out.
    """

    features: Matrix
    ids: list[Any] | None
    violations: tuple[Violation, ...]
    unseen: Mapping[str, int]
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Where a request's cells go.

    Attributes:
        kinds: of each cell of a row, a CellKind as one byte.
        places: of each cell among the features, or among the texts.
        texts: names of the columns that are read as text: categories, and the id.
        extra: as in `Block`.
    """

    kinds: bytes
    places: tuple[int, ...]
    texts: tuple[str, ...]
    extra: tuple[str, ...]


_KINDS = {
    ColumnType.INTEGER: CellKind.NUMBER,
    ColumnType.NUMBER: CellKind.NUMBER,
    ColumnType.BOOLEAN: CellKind.BOOLEAN,
    ColumnType.CATEGORY: CellKind.TEXT,
}


class RowRules:
    """A contract, made ready to hold many rows against it.

    Attributes:
        places: feature → its place.
        known: the names of all columns.
        categorical: the features whose cells are categories.
        numeric: those whose cells are numbers or booleans.
        plan: finds columns by their names, in whatever order they come; see `_plan`.
    """

    def __init__(self, contract: Contract) -> None:
        features = contract.features
        self.contract = contract
        self.places = {column.name: at for at, column in enumerate(features)}
        self.known = frozenset(column.name for column in contract.columns)
        self.categorical = tuple(one for one in features if one.type is ColumnType.CATEGORY)
        self.numeric = tuple(one for one in features if one.type is not ColumnType.CATEGORY)
        self.plan = lru_cache(_REMEMBERED)(self._plan)  # most requests have the same columns
        self._categories = lru_cache(_REMEMBERED)(self._prepared)
        self._low, self._high = np.array([column.allowed for column in features]).reshape(-1, 2).T

    def _prepared(self, missing: frozenset[str], decimal: str) -> dict[str, Categories]:
        """Return what finds the codes of each category column."""
        return {
            column.name: Categories(column.categories, missing, decimal)
            for column in self.categorical
        }

    def _plan(self, names: tuple[str, ...]) -> Plan:
        """Return where cells go.

        Raises:
            ContractViolation: columns are absent, or stand there twice.
        """
        if wrong := wrong_names(names, self.contract, with_target=False):
            raise ContractViolation(wrong, what="the request")
        columns = {column.name: column for column in self.contract.columns}
        own = {*self.places, *((self.contract.id.name,) if self.contract.id else ())}
        kinds = bytearray()
        places: list[int] = []
        texts: list[str] = []
        for name in names:
            kind = CellKind.IGNORED
            if name in own:
                kind = _KINDS[columns[name].type] if name in self.places else CellKind.TEXT
            kinds.append(kind)
            places.append(len(texts) if kind is CellKind.TEXT else self.places.get(name, 0))
            texts.extend([name] if kind is CellKind.TEXT else [])
        extra = tuple(name for name in names if name and name not in columns)
        return Plan(bytes(kinds), tuple(places), tuple(texts), extra)

    def hold(
        self,
        features: Matrix,
        texts: Mapping[str, Sequence[str | None]],
        missing: frozenset[str],
        decimal: str = ".",
    ) -> tuple[tuple[Violation, ...], dict[str, int]]:
        """Put the codes of categories into `features`, and check every cell.

        Args:
            features: (rows, features); the columns of categories are still to be filled.
            texts: of the category columns: "" is a missing value.
            missing: further texts that mean no value.
            decimal: the mark in texts that are whole numbers.

        Returns:
            Violations, and how many categories of each column training never saw.
        """
        for number in _numbers_in(missing):
            features[features == number] = NOT_THERE
        unseen = {}
        for name, categories in self._categories(missing, decimal).items():
            codes = categories.codes(texts[name])
            features[:, self.places[name]] = codes
            if np.isnan(codes).any() and (count := int(is_marked(codes, UNSEEN).sum())):
                unseen[name] = count
        return tuple(self._violations(features)), unseen

    def _violations(self, features: Matrix) -> list[Violation]:
        """Look closely only at columns that hold something beyond their range, or no number."""
        if not len(features):
            return []
        lowest, highest = features.min(axis=0), features.max(axis=0)  # NaN where there is one
        within = (lowest >= self._low) & (highest <= self._high)
        fine = within & np.isfinite(lowest) & np.isfinite(highest)
        return [
            violation
            for at in np.flatnonzero(~fine)
            for violation in number_violations(
                np.ascontiguousarray(features[:, at]), self.contract.features[at]
            )
        ]


_numbers_in = lru_cache(_REMEMBERED)(numbers_in)


@dataclass
class Findings:
    """Everything wrong in all blocks so far, with row numbers of the whole request; see `Block`."""

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
