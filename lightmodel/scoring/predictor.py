"""From checked rows to answers: score, decide, and say what contributed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightmodel.contract.arrays import Matrix, Scores
from lightmodel.contract.columns import Contract
from lightmodel.contract.results import SampleRow
from lightmodel.contract.task import TaskKind, label_name
from lightmodel.errors import ArtefactCorrupt, ContractViolation
from lightmodel.tables.row_rules import Block
from lightmodel.training.metrics import predicted_codes

SAME_SCORE = 1e-12


@dataclass(frozen=True)
class Answers:
    """Answers to rows, in their order.

    Attributes:
        ids: as they came; None where the request has no such column.
        predictions: labels in their training type, or numbers.
        scores: (rows,) of the positive class, (rows, classes), or the numbers themselves.
        contributions: of each row, the largest ones; None when nobody asked.
    """

    ids: Sequence[Any] | None
    predictions: Sequence[Any]
    scores: Scores
    contributions: Sequence[list[dict[str, Any]]] | None = None


@dataclass(frozen=True)
class Predictor:
    """An approved model, ready to answer.

    Attributes:
        threshold: on the positive class' probability; None for other tasks.
        score: gives (rows,) or (rows, classes) for features.
        contribute: gives (rows, names + 1), or that times the classes; None where it cannot.
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
            explain: how many contributions to give for each row.

        Raises:
            ContractViolation: with everything that is wrong with the rows.
        """
        if block.violations:
            raise ContractViolation(block.violations, what="the request")
        scores = self.score(block.features)
        decided = self._decide(scores, self.threshold if threshold is None else threshold)
        contributions = self._explain(block.features, scores, explain) if explain else None
        return Answers(block.ids, decided, scores, contributions)

    def _decide(self, scores: Scores, threshold: float | None) -> list[Any]:
        task = self.contract.task
        if task.kind is TaskKind.REGRESSION:
            numbers: list[Any] = scores.tolist()
            return numbers
        codes = predicted_codes(scores, 0.5 if threshold is None else threshold)
        return [task.labels[code] for code in codes.tolist()]

    def _explain(self, features: Matrix, scores: Scores, most: int) -> list[list[dict[str, Any]]]:
        """Name the features that moved a row most, in the model's raw score, largest first."""
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


def label_names(contract: Contract) -> tuple[str, ...]:
    """Give the labels as keys and headings."""
    return tuple(label_name(label) for label in contract.task.labels)


def probabilities_of(answers: Answers, contract: Contract) -> list[Any]:
    """Give the positive class' probability for each row, or {label: p}."""
    if answers.scores.ndim == 1:
        numbers: list[Any] = answers.scores.tolist()
        return numbers
    names = label_names(contract)
    return [dict(zip(names, row, strict=True)) for row in answers.scores.tolist()]


def answer_columns(answers: Answers, contract: Contract) -> dict[str, Sequence[Any]]:
    """Give answers by column: the id under its own name, prediction, probability, contributions."""
    columns: dict[str, Sequence[Any]] = {}
    if answers.ids is not None and contract.id:
        columns[contract.id.name] = answers.ids
    columns["prediction"] = answers.predictions
    if contract.task.kind.has_classes:
        columns["probability"] = probabilities_of(answers, contract)
    if answers.contributions is not None:
        columns["contributions"] = answers.contributions
    return columns


def check_samples(predictor: Predictor, block: Block, samples: Sequence[SampleRow]) -> None:
    """Score the stored rows again: a model that answers otherwise than when it was made is refused.

    Args:
        predictor: to check.
        block: the values of the samples.
        samples: the values, with their scores.

    Raises:
        ArtefactCorrupt: a score differs by more than 1e-12, relatively.
    """
    if block.violations:
        raise ArtefactCorrupt(f"{predictor.version}: its own sample rows break its contract")
    scores = predictor.score(block.features)
    stored = np.array([sample.score for sample in samples]).reshape(scores.shape)
    if not np.allclose(scores, stored, rtol=SAME_SCORE, atol=0):
        raise ArtefactCorrupt(f"{predictor.version}: its sample rows are not scored as stored")
