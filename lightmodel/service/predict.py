"""`POST /predict` scores rows block by block while they arrive, and returns one answer per row.

`POST /feedback` reads labels that arrive later, in the same formats, for the live metrics.
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
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import BadRequest, NotAcceptable

from lightmodel.config import Config
from lightmodel.config.threads import scoring_threads_of
from lightmodel.contract.cells import Matrix
from lightmodel.errors import ContractViolation, TooLarge
from lightmodel.predictions.base import AnsweredRows
from lightmodel.predictions.feedback import add_ground_truth, label_reader
from lightmodel.predictions.log import PredictionLog
from lightmodel.scoring.predictor import Answers, LoadedModel
from lightmodel.service import memory
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
from lightmodel.tables.row_rules import Block, ValidationReport, json_features

_MAX_ROWS_WITH_FEATURES = 10_000  # of a request that is logged; more would fill the memory
_OPTIONS = {"threshold", "explain"}
_SMALL_BLOCK = 256  # rows; scoring them is faster than waiting for the semaphore
_MAX_NAMED = 20  # ignored columns that the response's header names


@dataclass
class RequestScorer:
    """Scores the rows of one request block by block, and keeps the answers.

    Attributes:
        writer: encodes the answers, and defines the number of contributions.
        threshold: the decision threshold; None stands for the model's own.
        keep_features: whether to keep the features for the prediction log.
        findings: violations, unseen categories and ignored columns so far.
        read_s: seconds spent on receiving and parsing rows.
        features: the features of the answered rows, for the prediction log.
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
        """Score a block, unless it or an earlier one has violations."""
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
        self.writer.add(answers, self.model.body_reader.limits.answer)
        self.answered.append(
            replace(answers, contributions=None, base_values=None)
        )  # these are not logged
        if self.keep_features and self.findings.rows <= _MAX_ROWS_WITH_FEATURES:
            self.features.append(block.features)
        self.score_s += scored - started
        self.encode_s += time.perf_counter() - scored

    def server_timing(self, received_s: float) -> str:
        """Return the header `Server-Timing`; reading time is that of receiving and parsing."""
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
    """Return the routes that score and take feedback; the scoring threads limit concurrent blocks."""
    routes = Blueprint("predict", __name__)
    semaphore = threading.Semaphore(scoring_threads_of(config))
    max_rows, keep = config.serve.max_rows, config.log.features and log is not None

    def score(model: LoadedModel, writer: JsonWriter, threshold: float | None = None) -> Response:
        body = RequestBody(request, config.serve)
        scorer = RequestScorer(model, writer, threshold, max_rows, keep_features=keep)
        _score_all(scorer, body, semaphore)
        if log is not None:
            log.record(_rows_to_log(scorer))
        _count(scorer, metrics)
        memory.release_after(scorer.findings.rows)
        return _response(scorer, body)

    @routes.post("/predict")
    def predict() -> Response:
        model = models.require()
        if unknown := request.args.keys() - _OPTIONS:
            raise BadRequest(
                f"unknown option {min(unknown)[:40]!r}; known are explain and threshold"
            )
        threshold, explain = _threshold(model), _explain(model)
        return score(model, WRITERS[_accepted_type()](explain), threshold)

    @routes.post("/invocations")
    def invocations() -> Response:
        return score(models.require(), MlflowWriter())

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
    """Score every block of the body; raise ContractViolation with the violations of all rows."""
    started = time.perf_counter()
    blocks = scorer.model.body_reader.read(body.pieces(), body.form, body.charset)
    while block := next(blocks, None):
        scorer.read_s += time.perf_counter() - started
        with semaphore if len(block.features) > _SMALL_BLOCK else nullcontext():
            scorer.add(block)
        started = time.perf_counter()
    if violations := scorer.findings.violations:
        raise ContractViolation(
            violations, what="the request", hint="GET /schema lists the expected columns"
        )


def _rows_to_log(scorer: RequestScorer) -> AnsweredRows:
    """Return the answered rows for the prediction log."""
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
    """Return all parts as one list, or None if the blocks have none."""
    return None if parts[0] is None else list(chain.from_iterable(part or () for part in parts))


def _unique_id() -> str:
    """Return the request's id, with a unique suffix if the client chose it: it may be used again."""
    request_id = str(g.request_id)
    return f"{request_id}-{new_id()}" if "X-Request-ID" in request.headers else request_id


def _response(scorer: RequestScorer, body: RequestBody) -> Response:
    started = time.perf_counter()
    response = Response(scorer.writer.body(), mimetype=scorer.writer.mimetype)
    scorer.encode_s += time.perf_counter() - started
    response.headers["X-Model-Version"] = scorer.model.version
    response.headers["Server-Timing"] = scorer.server_timing(body.receive_s)
    if extra := scorer.findings.extra:
        more = f", and {len(extra) - _MAX_NAMED} more" if len(extra) > _MAX_NAMED else ""
        response.headers["X-Ignored-Columns"] = _printable(", ".join(extra[:_MAX_NAMED])) + more
    for header, found in (
        ("X-Unseen-Categories", scorer.findings.unseen),
        ("X-Missing-Formulas", scorer.findings.lost),
    ):
        if found:
            counts = ", ".join(f"{name}={count}" for name, count in sorted(found.items()))
            response.headers[header] = _printable(counts)
    return response


def _printable(text: str) -> str:
    """Return a text as a header's value: one line of at most 2000 ASCII characters."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in plain)[:2000]


def _accepted_type() -> str:
    """Return the media type of the answer that the request prefers."""
    if not request.accept_mimetypes:
        return JSON
    # Parameters such as a charset do not matter: answers are always UTF-8.
    wanted = [(kind.partition(";")[0].strip(), share) for kind, share in request.accept_mimetypes]
    best = MIMEAccept(wanted).best_match([JSON, CSV, JSON_LINES])
    if best is None:
        raise NotAcceptable(f"answers are available as {JSON}, {CSV} or {JSON_LINES}")
    return str(best)


def _threshold(model: LoadedModel) -> float | None:
    """Return the query's threshold; raise BadRequest if this model cannot use it."""
    text = request.args.get("threshold")
    if text is None:
        return None
    if model.contract.task.positive is None:
        raise BadRequest("threshold applies only to models with two classes")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise BadRequest("threshold must be a number from 0 to 1")
    return value


def _explain(model: LoadedModel) -> int:
    """Return the query's number of contributions; raise BadRequest if this model has none."""
    text = request.args.get("explain")
    if text is None:
        return 0
    most = len(model.contract.features)
    if model.predictor.contribute is None:
        raise BadRequest("this model has no contributions; only LightGBM models do")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise BadRequest(f"explain must be an integer from 1 to {most}, the number of features")
    return int(text)
