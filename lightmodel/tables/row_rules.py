"""Validate rows of a request: columns are matched by name, and all violations are reported.

Rows come in blocks, as numbers in training order. The rules are those of `check`, which validates
whole tables against the same contract.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from lightmodel.contract.cells import (
    MISSING,
    RAGGED,
    UNSEEN,
    Categories,
    Matrix,
    Vector,
    is_marker,
    parse_numbers,
)
from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.describe import text_of
from lightmodel.contract.formats import TextParser, text_parser
from lightmodel.errors import ContractViolation, Violation
from lightmodel.tables.blocks import Block
from lightmodel.tables.column_rules import check_names, number_violations
from lightmodel.tables.row_readers import CellKind
from lightmodel.tables.text_columns import NONE, TextEncoders, matrix_width, write_texts

# In the prediction log, in place of a category unknown to training, which is no more known than that.
UNSEEN_VALUE = {"unseen": True}
_CACHE_SIZE = 16  # most requests have the same columns in the same order


@dataclass(frozen=True)
class ColumnMapping:
    """How the columns of a request map to those of the contract.

    Attributes:
        kinds: one byte for each cell of a row, its CellKind.
        places: the position of each cell among the features, or among the texts.
        texts: names of the columns that are read as text: categories, columns with a format, the id.
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
    ColumnType.TEXT: CellKind.TEXT,
}
_TEXTS = {ColumnType.CATEGORY, ColumnType.TEXT}


class RowRules:
    """A contract, prepared to validate many rows against it.

    Attributes:
        places: feature → its position.
        known: the names of all columns.
        encoders: of the texts in text columns.
        width: the number of columns of a block's features, with the scores of texts.
        categorical: the features whose cells are categories.
        texts: the features whose cells are categories or free text.
        numeric: the features whose cells are numbers, booleans, or texts in a format.
        quantities: those of them that are numbers, plain or written as amounts.
        parsers: missing texts and a decimal mark → feature with a format → what parses its texts.
        map_columns: `_map_columns`, cached; it matches columns by name, in any order.
        tolerated: the rules whose violations are only counted, some of `column_rules.TOLERABLE`.
        others: `Contract.others`, if the model needs them; else ().
    """

    def __init__(
        self,
        contract: Contract,
        encoders: TextEncoders = NONE,
        *,
        tolerated: Collection[str] = frozenset(),
        with_others: bool = False,
    ) -> None:
        features = contract.features
        self.contract = contract
        self.encoders = encoders
        self.width = matrix_width(contract, encoders)
        self.tolerated = frozenset(tolerated)
        self.others = contract.others if with_others else ()
        self.places = {column.name: at for at, column in enumerate(features)}
        self.known = frozenset(column.name for column in contract.columns)
        self.categorical = tuple(one for one in features if one.type is ColumnType.CATEGORY)
        self.texts = tuple(one for one in features if one.type in _TEXTS)
        self.numeric = tuple(one for one in features if one.type not in _TEXTS)
        self.quantities = tuple(one for one in features if one.type.is_numeric)
        self.map_columns = lru_cache(_CACHE_SIZE)(self._map_columns)
        self.parsers = lru_cache(_CACHE_SIZE)(self._text_parsers)
        self._encoders = lru_cache(_CACHE_SIZE)(self._category_encoders)
        self._low, self._high = np.array([column.allowed for column in features]).reshape(-1, 2).T

    def _text_parsers(self, missing: frozenset[str], decimal: str) -> dict[str, TextParser]:
        """Return the parser of each feature whose texts have a format."""
        return {
            column.name: text_parser(column, missing, decimal)
            for column in self.numeric
            if column.format
        }

    def _category_encoders(self, missing: frozenset[str], decimal: str) -> dict[str, Categories]:
        """Return the encoder of each category column."""
        return {
            column.name: Categories(column.categories, missing, decimal)
            for column in self.categorical
        }

    def _map_columns(self, names: tuple[str, ...]) -> ColumnMapping:
        """Return the mapping of columns in the order of `names`.

        Raises:
            ContractViolation: columns are absent or duplicated.
        """
        if wrong := check_names(names, self.contract, with_target=False):
            raise ContractViolation(wrong, what="the request")
        columns = {column.name: column for column in self.contract.columns}
        read = {*self.places, *((self.contract.id.name,) if self.contract.id else ())}
        read |= {column.name for column in self.others}
        kinds = bytearray()
        places: list[int] = []
        texts: list[str] = []
        for name in names:
            kind = CellKind.IGNORED
            if name in read:
                kind = _kind(columns[name]) if name in self.places else CellKind.TEXT
            kinds.append(kind)
            places.append(len(texts) if kind is CellKind.TEXT else self.places.get(name, 0))
            texts.extend([name] if kind is CellKind.TEXT else [])
        extra = tuple(name for name in names if name and name not in columns)
        return ColumnMapping(bytes(kinds), tuple(places), tuple(texts), extra)

    def validate(
        self,
        features: Matrix,
        texts: Mapping[str, Sequence[str | None]],
        missing: frozenset[str],
        decimal: str = ".",
    ) -> tuple[tuple[Violation, ...], dict[str, int]]:
        """Write the category codes and parsed texts into `features`, and validate every cell.

        Args:
            features: (rows, `width`), changed in place; columns read as text are still unset.
            texts: the texts of the category columns, and of those with a format that are to be
                parsed; "" is a missing value.
            missing: further texts that mean a missing value.
            decimal: the decimal mark of the table.

        Returns:
            Violations, and for each column the count of rows with an unseen category.
        """
        for name, parse in self.parsers(missing, decimal).items():
            if name in texts:
                features[:, self.places[name]] = parse(texts[name])
        if gone := missing_numbers(missing):
            for column in self.quantities:
                values = features[:, self.places[column.name]]
                values[np.isin(values, gone)] = MISSING
        unseen = {}
        for name, categories in self._encoders(missing, decimal).items():
            codes = categories.codes(texts[name])
            features[:, self.places[name]] = codes
            if np.isnan(codes).any() and (count := int(is_marker(codes, UNSEEN).sum())):
                unseen[name] = count
        if len(self.texts) > len(self.categorical):
            write_texts(features, texts, self.contract, self.encoders, missing, float(RAGGED))
        return tuple(self._violations(features)), unseen

    def completed(
        self,
        block: Block,
        texts: Mapping[str, Sequence[str | None]],
        missing: frozenset[str],
        decimal: str = ".",
    ) -> Block:
        """Return a judged block with the other columns, if the model needs them.

        The further arguments are those of `validate`, with the texts of all other columns.
        """
        block = self.judged(block)
        if not self.others or block.violations:
            return block
        from lightmodel.tables.other_columns import columns_of_texts  # imports Arrow, which is slow

        read = columns_of_texts(texts, len(block.features), self.contract, missing, decimal)
        return replace(block, others=read.table, unseen={**block.unseen, **read.unread})

    def judged(self, block: Block) -> Block:
        """Return a block in which violations of tolerated rules are warnings."""
        if not block.violations or not self.tolerated:
            return block
        warnings = tuple(one for one in block.violations if one.rule in self.tolerated)
        refused = tuple(one for one in block.violations if one.rule not in self.tolerated)
        return replace(block, violations=refused, warnings=warnings)

    def _violations(self, features: Matrix) -> list[Violation]:
        """Examine only columns with a value out of range, or one that is not a finite number."""
        if not len(features):
            return []
        features = features[:, : len(self.places)]
        lowest = highest = features[0]
        if len(features) > 1:
            lowest, highest = features.min(axis=0), features.max(axis=0)  # NaN where there is one
        within = (lowest >= self._low) & (highest <= self._high)
        valid = within & np.isfinite(lowest) & np.isfinite(highest)
        if valid.all():
            return []
        return [
            violation
            for at in np.flatnonzero(~valid)
            for violation in number_violations(
                np.ascontiguousarray(features[:, at]), self.contract.features[at]
            )
        ]


def _kind(column: Column) -> CellKind:
    return CellKind.TEXT if column.format else _KINDS[column.type]


missing_numbers = lru_cache(_CACHE_SIZE)(parse_numbers)


def json_features(features: Matrix, contract: Contract) -> dict[str, list[Any]]:
    """Return features as JSON values by name: None is missing, UNSEEN_VALUE a category unknown to training.

    `features` is (rows, features), and perhaps the scores of texts, which are left out.
    """
    columns = features.T[: len(contract.features)]
    return {
        column.name: _feature_values(values, column)
        for column, values in zip(contract.features, columns, strict=True)
    }


def _feature_values(numbers: Vector, column: Column) -> list[Any]:
    values = [
        None if value != value else _feature_value(value, column) for value in numbers.tolist()
    ]
    if column.type is ColumnType.CATEGORY and None in values:
        for at in np.flatnonzero(is_marker(numbers, UNSEEN)).tolist():
            values[at] = UNSEEN_VALUE
    return values


def _feature_value(value: float, column: Column) -> Any:  # noqa: ANN401 — of the column's own type
    if column.type is ColumnType.CATEGORY:
        return column.categories[int(value)]
    if column.type.is_temporal:
        return text_of(value, column)
    return bool(value) if column.type is ColumnType.BOOLEAN else value
