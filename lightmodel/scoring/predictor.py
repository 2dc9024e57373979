"""Predict validated rows: scores, predictions and contributions of features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lightmodel.config import Config
from lightmodel.contract.cells import Codes, Mask, Matrix, Scores, Vector
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.imputation import impute
from lightmodel.contract.publication import Published
from lightmodel.contract.task import label_name
from lightmodel.errors import ArtefactCorrupt, ContractViolation
from lightmodel.store.manifest import Manifest
from lightmodel.tables.base import dialect_for
from lightmodel.tables.blocks import Block
from lightmodel.tables.bodies import BodyReader, Limits
from lightmodel.tables.row_readers import RowReader
from lightmodel.tables.row_rules import RowRules

SAME_SCORE = 1e-12  # relative tolerance
_FEW_COLUMNS = 16  # so many are found faster one by one than by sorting


@dataclass(frozen=True)
class Answers:
    """Predictions of rows, in their order.

    Attributes:
        ids: ids as they were sent; None if the request has no id column.
        predictions: labels in their training type, or numbers.
        scores: (rows,) probabilities of the positive class or numbers, or (rows, classes).
        contributions: the largest contributions of each row; None if not requested.
        base_values: the raw score of each row without any contribution; None if not requested. All
            contributions and the base value add up to the raw score, before its link function.
        id_name: name of the id column; None if the contract has none.
        label_names: names of all classes; empty for regression.
    """

    ids: Sequence[Any] | None
    predictions: Sequence[Any]
    scores: Scores
    contributions: Sequence[list[dict[str, Any]]] | None = None
    base_values: Sequence[float] | None = None
    id_name: str | None = None
    label_names: tuple[str, ...] = ()

    @property
    def is_binary(self) -> bool:
        """Whether scores are probabilities of a positive class."""
        return bool(self.label_names) and self.scores.ndim == 1

    def probabilities(self) -> list[Any] | None:
        """Return each row's probability of the positive class, or {label: p}; None for regression."""
        if not self.label_names:
            return None
        rows: list[Any] = self.scores.tolist()
        if self.is_binary:
            return rows
        return [dict(zip(self.label_names, row, strict=True)) for row in rows]

    @property
    def finite(self) -> Mask:
        """(rows,) Whether all scores of a row are finite."""
        scores = self.scores.reshape(len(self.scores), -1)
        sums: Vector = scores.sum(axis=1)
        return ~(np.isnan(sums) | np.isinf(sums))

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return the columns by name: the id's name, prediction, probability, contributions."""
        columns: dict[str, Sequence[Any]] = {}
        if self.ids is not None and self.id_name is not None:
            columns[self.id_name] = self.ids
        columns["prediction"] = self.predictions
        probabilities = self.probabilities()
        if probabilities is not None:
            columns["probability"] = probabilities
        if self.contributions is not None:
            columns["contributions"] = self.contributions
        if self.base_values is not None:
            columns["base_value"] = self.base_values
        return columns

    def rows(self) -> list[dict[str, Any]]:
        """Return one object per row, with the names and values of `columns`."""
        columns = self.columns()
        names = tuple(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@dataclass(frozen=True)
class Predictor:
    """An approved model, ready to predict.

    Attributes:
        threshold: decision threshold (binary); None for other tasks.
        score: returns (rows,) or (rows, classes) scores of features, and of `Block.more`.
        contribute: returns (rows, classes * (names + 1)) contributions of the same; None if unavailable.
        names: names of all features of the model, the added ones included.
        imputed: (features,) of the contract: see `imputed_values`; None leaves missing values to the model.
    """

    version: str
    contract: Contract
    threshold: float | None
    score: Callable[..., Scores]
    contribute: Callable[..., Matrix] | None = None
    names: tuple[str, ...] = ()
    imputed: Vector | None = None

    def answer(self, block: Block, *, threshold: float | None = None, explain: int = 0) -> Answers:
        """Predict the rows of a block.

        Args:
            block: rows in the contract's form.
            threshold: replaces the model's decision threshold (binary).
            explain: number of contributions per row.

        Raises:
            ContractViolation: the rows break the contract; holds all violations.
        """
        if block.violations:
            raise ContractViolation(block.violations, what="the request")
        features = block.features
        if block.warnings and self.imputed is not None:
            features = impute(features, self.imputed)
        scores = self.score(features, *block.more)
        predictions = self._decide(scores, self.threshold if threshold is None else threshold)
        contributions = base_values = None
        if explain:
            if self.contribute is None:
                raise NotImplementedError
            by_class = self.contribute(features, *block.more)
            contributions, base_values = self._largest(by_class, scores, explain)
        id_name = self.contract.id.name if self.contract.id else None
        return Answers(
            block.ids, predictions, scores, contributions, base_values, id_name, self._label_names
        )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of all features, each of which has a contribution."""
        return self.names or self.contract.feature_names

    @cached_property
    def _label_names(self) -> tuple[str, ...]:
        return label_names(self.contract)

    def _decide(self, scores: Scores, threshold: float | None) -> list[Any]:
        labels = self.contract.task.labels
        if not labels:
            numbers: list[Any] = scores.tolist()
            return numbers
        threshold = 0.5 if threshold is None else threshold
        codes = scores.argmax(axis=1) if scores.ndim == 2 else scores >= threshold
        return [labels[code] for code in codes.tolist()]

    def _largest(
        self, contributions: Matrix, scores: Scores, count: int
    ) -> tuple[list[list[dict[str, Any]]], list[float]]:
        """Return the features that contribute most to each row's raw score, and its base value."""
        names = self.feature_names
        width, rows = len(names), len(scores)
        by_class = contributions.reshape(rows, -1, width + 1)
        predicted = scores.argmax(axis=1) if scores.ndim == 2 else np.zeros(rows, np.int64)
        own = by_class[np.arange(rows), predicted]
        contributions, base_values = own[:, :width], own[:, width].tolist()
        order = _largest(np.abs(contributions), count)
        values = np.take_along_axis(contributions, order, axis=1)
        largest_first = [
            [{"feature": names[at], "value": value} for at, value in zip(*row, strict=True)]
            for row in zip(order.tolist(), values.tolist(), strict=True)
        ]
        return largest_first, base_values


def _largest(sizes: Matrix, count: int) -> Codes:
    """Return (rows, count) columns of the largest values, which must not be below 0; it overwrites them.

    The largest comes first, and of equal ones the first.
    """
    if count > _FEW_COLUMNS:
        return np.argsort(-sizes, axis=1, kind="stable")[:, :count]
    rows, largest = np.arange(len(sizes)), np.empty((len(sizes), count), np.int64)
    for place in range(count):
        largest[:, place] = sizes.argmax(axis=1)
        sizes[rows, largest[:, place]] = -1
    return largest


@dataclass(frozen=True)
class LoadedModel:
    """An approved, verified and self-tested model, with its manifest and folder.

    Attributes:
        rules: the contract, prepared for the validation of rows.
        published: the categories of the training table that anybody may see.
        folder: the version's folder; holds report.html and often feature_importance_gain.png.
        config: the service's configuration: limits of a request, and the dialect of older models.
    """

    predictor: Predictor
    rules: RowRules
    row_reader: RowReader
    manifest: Manifest
    published: Published
    folder: Path
    config: Config = field(default_factory=Config)

    @property
    def version(self) -> str:
        """The name in `X-Model-Version`."""
        return self.manifest.version

    @property
    def contract(self) -> Contract:
        """The contract that rows must satisfy."""
        return self.predictor.contract

    @cached_property
    def is_quick(self) -> bool:
        """Whether a few rows are surely scored quickly: others may take long, or run a user's code."""
        return self.manifest.learner_name == "lightgbm" and "module" not in self.manifest.steps

    @cached_property
    def samples(self) -> tuple[dict[str, Any], ...]:
        """The manifest's sample rows, `values` and `score`, as far as they are published."""
        stored = [sample["values"] for sample in self.manifest.samples]
        rows = list(self.published.rows(stored, self.contract))
        scores = [sample["score"] for sample in self.manifest.samples]
        others = {column.name for column in self.contract.columns if column.role is Role.ID}
        if any(
            row.get(name) != value
            for row, old in zip(rows, stored, strict=True)
            for name, value in old.items()
            if name not in others or self.rules.others
        ):
            block = self.body_reader.json_blocks.block(rows)
            scores = self.predictor.answer(block).scores.reshape(len(rows), -1).tolist()
        pairs = zip(rows, scores, strict=True)
        return tuple({"values": values, "score": score} for values, score in pairs)

    @cached_property
    def body_reader(self) -> BodyReader:
        """The reader of request bodies for this model, which leaves out rows without a value."""
        return replace(self.full_reader, drops_blank=True)

    @cached_property
    def full_reader(self) -> BodyReader:
        """The reader for clients that match answers to rows by position: it leaves out no row."""
        return body_reader(self.rules, self.row_reader, self.config)


def body_reader(rules: RowRules, reader: RowReader, config: Config) -> BodyReader:
    """Return the reader of request bodies for a contract, with its dialect and the service's limits."""
    limits = Limits(
        config.serve.max_body_mb << 20,
        config.serve.max_buffered_mb << 20,
        config.serve.max_columns,
    )
    return BodyReader(rules, reader, dialect_for(rules.contract, config.data), limits)


def label_names(contract: Contract) -> tuple[str, ...]:
    """Return the labels of the task as text, for keys and column names."""
    return tuple(label_name(label) for label in contract.task.labels)


def check_samples(predictor: Predictor, block: Block, stored: Sequence[Sequence[float]]) -> None:
    """Score the sample rows again, and reject a model whose scores differ from the stored ones.

    Raises:
        ArtefactCorrupt: a score differs by more than 1e-12, relatively, or a row breaks the contract.
    """
    if block.violations or block.warnings:
        raise ArtefactCorrupt(f"{predictor.version}: its sample rows break its contract")
    scores = predictor.score(block.features, *block.more)
    if not np.allclose(scores, np.reshape(stored, scores.shape), rtol=SAME_SCORE, atol=0):
        raise ArtefactCorrupt(f"{predictor.version}: its sample rows get other scores than stored")


def reads_alike(one: LoadedModel, other: LoadedModel) -> bool:
    """Return whether the features of a row are the same numbers for both models.

    Texts are not: each model encodes them in its own way. What functions take besides features is not kept.
    """
    first, second = one.contract, other.contract
    return (
        [*map(_as_read, first.features)] == [*map(_as_read, second.features)]
        and one.full_reader.dialect.na_values == other.full_reader.dialect.na_values
        and first.decimal == second.decimal
        and not any(column.type is ColumnType.TEXT for column in first.features)
        and not other.rules.others
    )


def _as_read(column: Column) -> tuple[object, ...]:
    kind = ColumnType.NUMBER if column.type.is_numeric else column.type
    return column.name, kind, column.format, column.categories
