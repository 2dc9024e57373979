"""From rows to answers: check, score, decide."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lightmodel.domain.arrays import Matrix, Scores
from lightmodel.domain.contract import Contract
from lightmodel.domain.encoding import feature_matrix, plain_rows
from lightmodel.domain.enforcement import conform
from lightmodel.domain.results import SampleRow
from lightmodel.domain.task import Task, TaskKind, label_name
from lightmodel.errors import ArtefactCorrupt, ContractViolation
from lightmodel.stages.scoring import predicted_codes

SAME_SCORE = 1e-12


@dataclass(frozen=True)
class Predictor:
    """An approved model, ready to answer."""

    version: str
    contract: Contract
    threshold: float | None
    score: Callable[[Matrix], Scores]

    def predict(self, table: pa.Table) -> list[dict[str, Any]]:
        """Answer each row, in order: the id as it came, `prediction`, and `probability` for classes.

        Raises:
            ContractViolation: with everything that is wrong with the rows.
        """
        conformed = conform(table, self.contract, with_target=False)
        if conformed.violations:
            raise ContractViolation(conformed.violations, what="the request")
        scores = self.score(feature_matrix(conformed.table, self.contract))
        answers = _answers(self.contract.task, scores, self.threshold)
        if self.contract.id and self.contract.id.name in conformed.table.column_names:
            ids = plain_rows(conformed.table.select([self.contract.id.name]))
            return [{**own, **answer} for own, answer in zip(ids, answers, strict=True)]
        return answers


def _answers(task: Task, scores: Scores, threshold: float | None) -> list[dict[str, Any]]:
    if task.kind is TaskKind.REGRESSION:
        return [{"prediction": number} for number in scores.tolist()]
    codes = predicted_codes(scores, 0.5 if threshold is None else threshold).tolist()
    names = [label_name(label) for label in task.labels]
    return [
        {
            "prediction": task.labels[code],
            "probability": dict(zip(names, score, strict=True)) if scores.ndim == 2 else score,
        }
        for code, score in zip(codes, scores.tolist(), strict=True)
    ]


def check_samples(predictor: Predictor, samples: tuple[SampleRow, ...]) -> None:
    """Score the stored rows again: a model that answers otherwise than when it was made is refused.

    Raises:
        ArtefactCorrupt: a score differs by more than 1e-12, relatively.
    """
    features = [column.name for column in predictor.contract.features]
    columns = {name: [sample.values[name] for sample in samples] for name in features}
    conformed = conform(pa.table(columns), predictor.contract, with_target=False)
    if conformed.violations:
        raise ArtefactCorrupt(f"{predictor.version}: its own sample rows break its contract")
    scores = predictor.score(feature_matrix(conformed.table, predictor.contract))
    stored = np.array([sample.score for sample in samples]).reshape(scores.shape)
    if not np.allclose(scores, stored, rtol=SAME_SCORE, atol=0):
        raise ArtefactCorrupt(f"{predictor.version}: its sample rows are not scored as stored")
