"""Events of AWS Lambda: records of Kinesis and SQS, and rows of a direct invocation."""

import base64
import binascii
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from lightmodel.errors import SHOWN_ROWS, ContractViolation, DataError
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.streams.base import Record
from lightmodel.streams.processing import BatchProcessor, Outcome

logger = logging.getLogger(__name__)

Event = Mapping[str, Any]
_EVENTS = "it takes events of Kinesis, SQS, API Gateway and function URLs, or rows as JSON"


def records_of(event: Event) -> list[Record]:
    """Return the records of an event of Kinesis or SQS.

    Raises:
        DataError: the event is of another service, or malformed.
    """
    try:
        return [_READERS[raw.get("eventSource", "")](raw) for raw in event["Records"]]
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        raise DataError("the event's Records are none of Kinesis or SQS", hint=_EVENTS) from None


def _of_kinesis(raw: Mapping[str, Any]) -> Record:
    kinesis = raw["kinesis"]
    shard = raw["eventID"].partition(":")[0]
    data = base64.b64decode(kinesis["data"], validate=True)
    return Record(data, shard, kinesis["sequenceNumber"], kinesis.get("partitionKey", ""))


def _of_sqs(raw: Mapping[str, Any]) -> Record:
    group = raw.get("attributes", {}).get("MessageGroupId", "")
    return Record(raw["body"].encode(), group, raw["messageId"], group)


_READERS = {"aws:kinesis": _of_kinesis, "aws:sqs": _of_sqs}


def answer_records(processor: BatchProcessor, event: Event, request_id: str) -> dict[str, Any]:
    """Process the records of an event; return which of them Lambda has to deliver again.

    The event source mapping must have the response type ReportBatchItemFailures. A test run returns the
    predictions and the reasons of rejection as well.
    """
    records = records_of(event)
    outcome = processor.process(records, request_id)
    failed = _to_repeat(records, outcome)
    processor.checkpoints.advance({}, outcome.keys)
    if outcome.rejected:
        names = ", ".join(one.place.name for one in outcome.rejected[:SHOWN_ROWS])
        logger.warning("%d rows cannot be scored: %s", len(outcome.rejected), names)
    logger.info(
        "%d records: %d answered, %d rejected, %d repeated, %d failed",
        *(outcome.records, len(outcome.answers), len(outcome.rejected), outcome.repeated),
        len(failed),
        extra={"request_id": request_id, "version": outcome.version},
    )
    answer: dict[str, Any] = {
        "batchItemFailures": [{"itemIdentifier": records[at].position} for at in failed]
    }
    if processor.config.streams.test_run:
        answer["predictions"] = outcome.answers
        answer["rejected"] = [
            {"record": one.place.name, "message": one.error.message} for one in outcome.rejected
        ]
    return answer


def _to_repeat(records: Sequence[Record], outcome: Outcome) -> list[int]:
    """Return the places of the records that have failed, and of those behind them in a message group.

    Lambda repeats a shard of Kinesis from its first failed record on, and of SQS exactly what it is told.
    """
    failed, groups = [], set[str]()
    for at, record in enumerate(records):
        if at in outcome.failed or record.shard in groups:
            failed.append(at)
            if record.shard:
                groups.add(record.shard)
    return failed


def answer_rows(model: LoadedModel, event: object) -> dict[str, Any]:
    """Score the rows of a direct invocation, in any form that POST /predict takes as JSON.

    Raises:
        DataError: the event holds no rows, or they break the contract.
    """
    block = model.full_reader.json_blocks.read(orjson.dumps(event))
    if block.violations:
        raise ContractViolation(block.violations, what="the event")
    return {
        "predictions": model.predictor.answer(block).rows(),
        "model_version": model.version,
    }
