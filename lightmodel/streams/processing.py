"""What is done with one batch: score it, write answers and dead letters, recognise repeated records."""

import base64
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from lightmodel.config import Config
from lightmodel.errors import ContractViolation
from lightmodel.predictions.base import AnsweredRows
from lightmodel.predictions.log import PredictionLog
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.streams.base import Message, Record, StreamOutput
from lightmodel.streams.checkpoints import Checkpoints
from lightmodel.streams.scoring import Answer, Place, Rejected, Scored, score_records
from lightmodel.tables.row_rules import json_features

logger = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What became of a batch.

    Attributes:
        records: number of its records.
        answers: the answers, in order, but for the repeated ones.
        rejected: number of rows that cannot be scored.
        repeated: number of rows that were answered before.
        failed: places of the records that have to be processed again.
        keys: what `Checkpoints` has to remember.
        seconds: that it took.
    """

    version: str
    records: int
    answers: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    repeated: int = 0
    failed: set[int] = field(default_factory=set)
    keys: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class BatchProcessor:
    """Processes batches of records by the served model.

    Attributes:
        output: where answers are written; None for a test run.
        dead_letter: where records go that cannot be scored; None: they count as failed.
        checkpoints: remember what was answered; the caller advances them.
        log: the prediction log; None if it is off.
    """

    config: Config
    models: ModelManager
    output: StreamOutput | None
    dead_letter: StreamOutput | None
    checkpoints: Checkpoints
    log: PredictionLog | None = None

    def process(self, records: Sequence[Record], request_id: str) -> Outcome:
        """Score records and write what they come to.

        Raises:
            ConfigError: a stream cannot be written to until somebody changes something.
            LightModelError: there is no model to serve.
        """
        started = time.perf_counter()
        model = self.models.require()
        scored = score_records(model, records)
        outcome = Outcome(model.version, len(records))
        answers = self._fresh(scored, outcome)
        outcome.answers = [answer.row for answer in answers]
        if not self.config.streams.test_run:
            self._write_answers(answers, outcome, request_id)
            self._write_rejected(outcome, request_id)
            self._record(model, scored, request_id)
        outcome.seconds = time.perf_counter() - started
        return outcome

    def _fresh(self, scored: Scored, outcome: Outcome) -> list[Answer]:
        """Return the answers that are no repetition, and keep the rejected rows that are none."""
        if self.config.streams.dedupe == "none":
            outcome.rejected = scored.rejected
            return scored.answers
        keys = [self._key(answer) for answer in scored.answers]
        known = self.checkpoints.answered({*keys, *(one.place.name for one in scored.rejected)})
        outcome.rejected = [one for one in scored.rejected if one.place.name not in known]
        fresh = []
        for key, answer in zip(keys, scored.answers, strict=True):
            if key not in known:
                known.add(key)
                fresh.append(answer)
        outcome.repeated = len(scored.answers) + len(scored.rejected)
        outcome.repeated -= len(fresh) + len(outcome.rejected)
        return fresh

    def _key(self, answer: Answer) -> str:
        by_id = self.config.streams.dedupe == "id" and answer.id is not None
        return f"id {answer.id}" if by_id else answer.place.name

    def _write_answers(self, answers: list[Answer], outcome: Outcome, request_id: str) -> None:
        if self.output is None or not answers:
            return
        messages = [
            _message(answer.place, {**_origin(answer.place, outcome, request_id), **answer.row})
            for answer in answers
        ]
        unwritten = set(self.output.write(messages))
        outcome.failed |= {answers[at].place.at for at in unwritten}
        outcome.keys += [
            self._key(answer) for at, answer in enumerate(answers) if at not in unwritten
        ]

    def _write_rejected(self, outcome: Outcome, request_id: str) -> None:
        """Write dead letters; without a stream for them the records have failed."""
        rejected = outcome.rejected
        if self.dead_letter is None or not rejected:
            outcome.failed |= {one.place.at for one in rejected}
            return
        largest = self.dead_letter.largest
        messages = [
            _letter(one, _origin(one.place, outcome, request_id), largest) for one in rejected
        ]
        unwritten = set(self.dead_letter.write(messages))
        outcome.failed |= {rejected[at].place.at for at in unwritten}
        outcome.keys += [one.place.name for at, one in enumerate(rejected) if at not in unwritten]

    def _record(self, model: LoadedModel, scored: Scored, request_id: str) -> None:
        """Write the answers into the prediction log."""
        if self.log is None:
            return
        keep = self.config.log.features
        for number, (answers, features) in enumerate(scored.blocks):
            self.log.record(
                AnsweredRows(
                    f"{request_id}-{number}",
                    datetime.now(UTC),
                    model.version,
                    answers.ids,
                    answers.predictions,
                    answers.probabilities(),
                    json_features(features, model.contract) if keep else None,
                )
            )


def _origin(place: Place, outcome: Outcome, request_id: str) -> dict[str, Any]:
    return {"record": place.name, "model_version": outcome.version, "request_id": request_id}


def _message(place: Place, content: dict[str, Any]) -> Message:
    # With the key of its record, an answer keeps its place among those of that key.
    return Message(orjson.dumps(content), place.record.key or place.name)


def _letter(rejected: Rejected, origin: dict[str, Any], largest: int) -> Message:
    """Return a dead letter: the reason and the record, which is left out if it is too large."""
    error, data = rejected.error, rejected.place.record.data
    content = {
        **origin,
        "error": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "violations": [asdict(one) for one in error.violations]
        if isinstance(error, ContractViolation)
        else [],
    }
    letter = _message(rejected.place, {**content, **_as_text(data)})
    return letter if letter.size <= largest else _message(rejected.place, content)


def _as_text(data: bytes) -> dict[str, str]:
    try:
        return {"data": data.decode()}
    except UnicodeDecodeError:
        return {"data_base64": base64.b64encode(data).decode()}
