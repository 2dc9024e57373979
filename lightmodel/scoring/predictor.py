"""From checked rows to answers: scores, decisions, and what contributed to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lightmodel.config import Config
from lightmodel.contract.cells import Matrix, Scores
from lightmodel.contract.columns import Contract
from lightmodel.contract.task import label_name
from lightmodel.errors import ArtefactCorrupt, ContractViolation
from lightmodel.store.manifest import Manifest
from lightmodel.tables.base import dialect_for
from lightmodel.tables.bodies import BodyReader, Limits
from lightmodel.tables.row_readers import RowReader
from lightmodel.tables.row_rules import Block, RowRules

SAME_SCORE = 1e-12


@dataclass(frozen=True)
class Answers:
    """Answers to rows, in their order.

    Attributes:
        ids: as they came; None where the request has no such column.
        predictions: labels in their training type, or numbers.
        scores: (rows,) of the positive class, (rows, classes), or the numbers themselves.
        contributions: of each row, the largest ones; None when nobody asked.
        id_name: of the id column; None where the contract has none.
        label_names: of all classes; empty for regression.
    """

    ids: Sequence[Any] | None
    predictions: Sequence[Any]
    scores: Scores
    contributions: Sequence[list[dict[str, Any]]] | None = None
    id_name: str | None = None
    label_names: tuple[str, ...] = ()

    @property
    def is_binary(self) -> bool:
        """Whether scores are probabilities of a positive class."""
        return bool(self.label_names) and self.scores.ndim == 1

    def probabilities(self) -> list[Any] | None:
        """Return the positive class' probability of each row, or {label: p}; None for regression."""
        if not self.label_names:
            return None
        rows: list[Any] = self.scores.tolist()
        if self.is_binary:
            return rows
        return [dict(zip(self.label_names, row, strict=True)) for row in rows]

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return the answers by column: the id's name, prediction, probability, contributions."""
        columns: dict[str, Sequence[Any]] = {}
        if self.ids is not None and self.id_name is not None:
            columns[self.id_name] = self.ids
        columns["prediction"] = self.predictions
        probabilities = self.probabilities()
        if probabilities is not None:
            columns["probability"] = probabilities
        if self.contributions is not None:
            columns["contributions"] = self.contributions
        return columns


@dataclass(frozen=True)
class Predictor:
    """An approved model, ready to answer.

    Attributes:
        threshold: on the positive class' probability; None for other tasks.
        score: returns (rows,) or (rows, classes) for features.
        contribute: returns (rows, names + 1), or that times the classes; None where it cannot.
        names: of all features that the model sees, those that are added among them.
    """

    version: str
    contract: Contract
    threshold: float | None
    score: Callable[[Matrix], Scores]
    contribute: Callable[[Matrix], Matrix] | None = None
    names: tuple[str, ...] = ()

    def answer(self, block: Block, *, threshold: float | None = None, explain: int = 0) -> Answers:
        """Answer the rows of a block that has no violations.

        Args:
            block: of rows.
            threshold: instead of the model's own (binary).
            explain: number of contributions for each row.

        Raises:
            ContractViolation: with everything that is wrong with the rows.
        """
        if block.violations:
            raise ContractViolation(block.violations, what="the request")
        scores = self.score(block.features)
        decided = self._decide(scores, self.threshold if threshold is None else threshold)
        contributions = self._explain(block.features, scores, explain) if explain else None
        id_name = self.contract.id.name if self.contract.id else None
        return Answers(block.ids, decided, scores, contributions, id_name, self._label_names)

    @cached_property
    def _label_names(self) -> tuple[str, ...]:
        return label_names(self.contract)

    def _decide(self, scores: Scores, threshold: float | None) -> list[Any]:
        labels = self.contract.task.labels
        if not labels:
            numbers: list[Any] = scores.tolist()
            return numbers
        least = 0.5 if threshold is None else threshold
        codes = scores.argmax(axis=1) if scores.ndim == 2 else scores >= least
        return [labels[code] for code in codes.tolist()]

    def _explain(self, features: Matrix, scores: Scores, most: int) -> list[list[dict[str, Any]]]:
        """Return the features that moved each row most, in the model's raw score, largest first."""
        if self.contribute is None:
            raise NotImplementedError
        names = self.names or self.contract.feature_names
        width = len(names)
        every = self.contribute(features).reshape(len(features), -1, width + 1)[:, :, :width]
        chosen = scores.argmax(axis=1) if scores.ndim == 2 else np.zeros(len(features), np.int64)
        parts = every[np.arange(len(features)), chosen]
        order = np.argsort(-np.abs(parts), axis=1, kind="stable")[:, :most]
        return [
            [{"feature": names[at], "value": value[at]} for at in best]
            for best, value in zip(order.tolist(), parts.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class LoadedModel:
    """An approved, verified and self-tested model, and where it came from.

    Attributes:
        rules: its contract, ready to check rows.
        folder: of its version; holds report.html and, often, feature_importance_gain.png.
        config: of the service: limits of a request, and how models of earlier releases read it.
    """

    predictor: Predictor
    rules: RowRules
    row_reader: RowReader
    manifest: Manifest
    folder: Path
    config: Config = field(default_factory=Config)

    @property
    def version(self) -> str:
        """The name in `X-Model-Version`."""
        return self.manifest.version

    @property
    def contract(self) -> Contract:
        """What its rows must fit."""
        return self.predictor.contract

    @cached_property
    def body_reader(self) -> BodyReader:
        """What reads requests for this model."""
        return body_reader(self.rules, self.row_reader, self.config)


def body_reader(rules: RowRules, reader: RowReader, config: Config) -> BodyReader:
    """Return what reads rows of a contract, by its dialect and within the service's limits."""
    limits = Limits(
        config.serve.max_body_mb << 20,
        config.serve.max_buffered_mb << 20,
        config.serve.max_columns,
    )
    return BodyReader(rules, reader, dialect_for(rules.contract, config.data), limits)


def label_names(contract: Contract) -> tuple[str, ...]:
    """Return the labels as keys and headings."""
    return tuple(label_name(label) for label in contract.task.labels)


def check_samples(predictor: Predictor, block: Block, stored: Sequence[Sequence[float]]) -> None:
    """Score the stored rows again: a model that answers otherwise than when it was made is refused.

    Raises:
        ArtefactCorrupt: a score differs by more than 1e-12, relatively.
    """
    if block.violations:
        raise ArtefactCorrupt(f"{predictor.version}: its own sample rows break its contract")
    scores = predictor.score(block.features)
    if not np.allclose(scores, np.reshape(stored, scores.shape), rtol=SAME_SCORE, atol=0):
        raise ArtefactCorrupt(f"{predictor.version}: its sample rows are not scored as stored")
