"""Ask a running service for the model's own sample rows, and compare what it answers."""

import json
import math
from collections.abc import Sequence
from typing import Any

from lightmodel.contract.task import Task, label_name
from lightmodel.errors import DeployFailed
from lightmodel.scoring.predictor import SAME_SCORE


def sample_request(samples: Sequence[dict[str, Any]]) -> bytes:
    """Give the body of a `POST /predict` (JSON) that asks for a manifest's sample rows."""
    return json.dumps([sample["values"] for sample in samples]).encode()


def check_sample_answers(
    answers: object, samples: Sequence[dict[str, Any]], task: dict[str, Any]
) -> None:
    """Compare a service's answers with the scores that were stored when the model was made.

    Args:
        answers: the JSON of `/predict`, one object a row.
        samples: of the manifest: `values` and `score` of each row.
        task: of the manifest.

    Raises:
        DeployFailed: a score differs by more than 1e-12, relatively, or is not there.
    """
    if not isinstance(answers, list) or len(answers) != len(samples):
        raise DeployFailed(f"/predict did not answer the {len(samples)} sample rows one by one")
    known = Task.from_dict(task)
    wrong = [
        number
        for number, (answer, sample) in enumerate(zip(answers, samples, strict=True), start=1)
        if not _same(_scores(answer, known), sample["score"])
    ]
    if wrong:
        rows = ", ".join(str(number) for number in wrong)
        raise DeployFailed(
            f"/predict answers the model's sample rows otherwise than stored: {rows}"
        )


def _scores(answer: object, task: Task) -> list[object]:
    if not isinstance(answer, dict):
        return []
    if not task.kind.has_classes:
        return [answer.get("prediction")]
    probability = answer.get("probability")
    if isinstance(probability, dict):
        return [probability.get(label_name(label)) for label in task.labels]
    return [probability]


def _same(answered: Sequence[object], stored: Sequence[float]) -> bool:
    return len(answered) == len(stored) and all(
        isinstance(one, int | float) and math.isclose(one, other, rel_tol=SAME_SCORE)
        for one, other in zip(answered, stored, strict=True)
    )
