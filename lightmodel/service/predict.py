"""`POST /predict`: rows in, one answer a row out; scored block by block while they arrive.

`POST /feedback` reads the same forms: labels that arrive later, for the live metrics.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import numpy as np
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import BadRequest, NotAcceptable

from lightmodel.config import Config
from lightmodel.config.threads import scoring_threads_of
from lightmodel.contract.cells import Matrix
from lightmodel.errors import ContractViolation, TooLarge
from lightmodel.predictions.base import AnsweredRows
from lightmodel.predictions.feedback import add_ground_truth, label_reader
from lightmodel.predictions.log import PredictionLog
from lightmodel.scoring.predictor import Answers, LoadedModel
from lightmodel.service.answer_writers import (
    CSV,
    JSON,
    JSON_LINES,
    WRITERS,
    JsonWriter,
    MlflowWriter,
)
from lightmodel.service.model_manager import ModelManager
from lightmodel.service.observability import Metrics, new_id
from lightmodel.service.request_body import RequestBody
from lightmodel.tables.encode import json_features
from lightmodel.tables.row_rules import Block, ValidationReport

_LOGGED_WITH_FEATURES = 10_000  # rows of a request; more of them would fill the memory
_FEW = 256  # rows that are scored sooner than a turn comes
_NAMED = 20  # ignored columns in the header of an answer


@dataclass
class RequestScorer:
    """Scores the rows of one request block by block, and keeps the answers.

    Attributes:
        writer: encodes the answers, and says how many contributions they have.
        threshold: instead of the model's; None: the model's.
        keep_features: whether features are wanted for the prediction log.
        findings: violations, unseen categories and ignored columns so far.
        read_s: spent on reading rows, which includes receiving them.
        features: of the answered rows, for the log.
    """

    model: LoadedModel
    writer: JsonWriter
    threshold: float | None
    max_rows: int
    keep_features: bool
    findings: ValidationReport = field(default_factory=ValidationReport)
    read_s: float = 0.0
    score_s: float = 0.0
    encode_s: float = 0.0
    answered: list[Answers] = field(default_factory=list)
    features: list[Matrix] = field(default_factory=list)

    def add(self, block: Block) -> None:
        """Score a block, as long as nothing was wrong with this or an earlier one."""
        self.findings.add(block)
        if self.findings.rows > self.max_rows:
            raise TooLarge(f"the request has more than {self.max_rows:,} rows (serve.max_rows)")
        if self.findings.violations:
            self.answered.clear()
            self.features.clear()
            return
        started = time.perf_counter()
        answers = self.model.predictor.answer(
            block, threshold=self.threshold, explain=self.writer.explain
        )
        scored = time.perf_counter()
        self.writer.add(answers)
        self.answered.append(replace(answers, contributions=None))  # encoded, and not logged
        if self.keep_features and self.findings.rows <= _LOGGED_WITH_FEATURES:
            self.features.append(block.features)
        self.score_s += scored - started
        self.encode_s += time.perf_counter() - scored

    def server_timing(self, received_s: float) -> str:
        """Return the header `Server-Timing`; rows are read while they are received."""
        parts = {
            "receive": received_s,
            "parse": max(0.0, self.read_s - received_s),
            "predict": self.score_s,
            "encode": self.encode_s,
        }
        return ", ".join(f"{name};dur={seconds * 1e3:.2f}" for name, seconds in parts.items())


def blueprint(
    models: ModelManager, config: Config, log: PredictionLog | None, metrics: Metrics
) -> Blueprint:
    """Return the routes; as many blocks are scored at once as there are scoring threads."""
    routes = Blueprint("predict", __name__)
    semaphore = threading.Semaphore(scoring_threads_of(config))
    max_rows, keep = config.serve.max_rows, config.log.features and log is not None

    def answer(model: LoadedModel, writer: JsonWriter, threshold: float | None = None) -> Response:
        body = RequestBody(request, config.serve)
        scorer = RequestScorer(model, writer, threshold, max_rows, keep_features=keep)
        _score_all(scorer, body, semaphore)
        if log is not None:
            log.record(_rows_to_log(scorer))
        _count(scorer, metrics)
        return _response(scorer, body)

    @routes.post("/predict")
    def predict() -> Response:
        model = models.require()
        threshold, explain = _threshold(model), _explain(model)
        return answer(model, WRITERS[_accepted()](explain), threshold)

    @routes.post("/invocations")
    def invocations() -> Response:
        return answer(models.require(), MlflowWriter())

    @routes.post("/truth")  # the earlier name, valid until release 0.2
    @routes.post("/feedback")
    def feedback() -> Response:
        model = models.require()
        body = RequestBody(request, config.serve)
        blocks = label_reader(model, config).read(body.pieces(), body.form, body.charset)
        return jsonify(add_ground_truth(config, blocks, model.contract))

    return routes


def _count(scorer: RequestScorer, metrics: Metrics) -> None:
    g.rows, g.version = scorer.findings.rows, scorer.model.version
    metrics.count_rows(scorer.findings.rows, scorer.findings.unseen.total())
    for answers in scorer.answered:
        if answers.is_binary:
            metrics.count_scores(answers.scores)


def _score_all(scorer: RequestScorer, body: RequestBody, semaphore: threading.Semaphore) -> None:
    """Read and score every block of the body.

    Raises:
        ContractViolation: with everything that is wrong with any row.
    """
    started = time.perf_counter()
    blocks = scorer.model.body_reader.read(body.pieces(), body.form, body.charset)
    while block := next(blocks, None):
        scorer.read_s += time.perf_counter() - started
        with semaphore if len(block.features) > _FEW else nullcontext():
            scorer.add(block)
        started = time.perf_counter()
    if violations := scorer.findings.violations:
        raise ContractViolation(
            violations, what="the request", hint="GET /schema says what is expected"
        )


def _rows_to_log(scorer: RequestScorer) -> AnsweredRows:
    """Return the answered rows as the prediction log takes them."""
    answered, features = scorer.answered, scorer.features
    return AnsweredRows(
        request=_unique_id(),
        time=datetime.now(UTC),
        version=scorer.model.version,
        ids=_joined([one.ids for one in answered]),
        predictions=_joined([one.predictions for one in answered]) or [],
        probabilities=_joined([one.probabilities() for one in answered]),
        features=json_features(np.concatenate(features), scorer.model.contract)
        if features
        else None,
    )


def _joined(parts: Sequence[Sequence[Any] | None]) -> list[Any] | None:
    """Return all parts as one list; None where the blocks have none."""
    return None if parts[0] is None else list(chain.from_iterable(part or () for part in parts))


def _unique_id() -> str:
    """Return the request's id; one that the client chose may come again, and is made longer."""
    given = str(g.request_id)
    return f"{given}-{new_id()}" if "X-Request-ID" in request.headers else given


def _response(scorer: RequestScorer, body: RequestBody) -> Response:
    started = time.perf_counter()
    response = Response(scorer.writer.body(), mimetype=scorer.writer.mimetype)
    scorer.encode_s += time.perf_counter() - started
    response.headers["X-Model-Version"] = scorer.model.version
    response.headers["Server-Timing"] = scorer.server_timing(body.seconds)
    if extra := scorer.findings.extra:
        more = f", and {len(extra) - _NAMED} more" if len(extra) > _NAMED else ""
        response.headers["X-Ignored-Columns"] = _printable(", ".join(extra[:_NAMED])) + more
    if unseen := scorer.findings.unseen:
        counts = ", ".join(f"{name}={count}" for name, count in sorted(unseen.items()))
        response.headers["X-Unseen-Categories"] = _printable(counts)
    return response


def _printable(text: str) -> str:
    """Return a text fit for a header: ASCII in one line, not too long."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in plain)[:2000]


def _accepted() -> str:
    """Return the media type in which the answer is wanted."""
    if not request.accept_mimetypes:
        return JSON
    best = request.accept_mimetypes.best_match([JSON, CSV, JSON_LINES])
    if best is None:
        raise NotAcceptable(f"answers come as {JSON}, {CSV} or {JSON_LINES}")
    return str(best)


def _threshold(model: LoadedModel) -> float | None:
    """Return the threshold in the query; BadRequest where it makes no sense for this model."""
    text = request.args.get("threshold")
    if text is None:
        return None
    if model.contract.task.positive is None:
        raise BadRequest("a threshold makes sense for two classes only, and this model has not two")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise BadRequest("threshold is a number from 0 to 1")
    return value


def _explain(model: LoadedModel) -> int:
    """Return the number of contributions in the query; BadRequest as for the threshold."""
    text = request.args.get("explain")
    if text is None:
        return 0
    most = len(model.contract.features)
    if model.predictor.contribute is None:
        raise BadRequest("this model gives no contributions; LightGBM's do")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise BadRequest(f"explain is a whole number from 1 to {most}, the number of features")
    return int(text)
