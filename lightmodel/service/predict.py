"""`POST /predict` scores rows block by block while they arrive, and returns one answer per row.

`POST /feedback` reads labels that arrive later, in the same formats, for the live metrics.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

from flask import Blueprint, Response, g, jsonify, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import BadRequest, NotAcceptable

from lightmodel.config import Config, ServeSection
from lightmodel.config.threads import scoring_threads_of
from lightmodel.errors import ContractViolation, DataError
from lightmodel.predictions.feedback import add_ground_truth, label_reader
from lightmodel.scoring.answer_writers import WRITERS, JsonWriter, MlflowWriter
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.service import memory
from lightmodel.service.answer_log import AnswerLog
from lightmodel.service.canary import Canaries
from lightmodel.service.observability import Metrics, new_id
from lightmodel.service.request_body import RequestBody
from lightmodel.service.request_scorer import RequestScorer
from lightmodel.tables.blocks import Block
from lightmodel.tables.media_types import CSV, JSON, JSON_LINES, registered

_SMALL_BLOCK = 256  # rows; scoring them is faster than waiting for the semaphore


@dataclass(frozen=True)
class _Scoring:
    """Scores the rows of a request, logs and counts them; the semaphore limits concurrent blocks."""

    serve: ServeSection
    log: AnswerLog
    canaries: Canaries
    metrics: Metrics
    semaphore: threading.Semaphore

    def answer(
        self, model: LoadedModel, writer: JsonWriter, threshold: float | None = None
    ) -> Response:
        """Return the answer to the current request."""
        body = RequestBody(request, self.serve)
        scorer = self._scorer(model, writer, threshold)
        reader = model.body_reader if writer.skips_blank else model.full_reader
        pieces, kept = body.pieces(), self.log.body(body.form)
        if kept is not None:
            pieces = kept.keep(pieces)
        _score_all(scorer, reader.read(pieces, body.form, body.charset), self.semaphore)
        if kept is not None:
            kept.charset = body.charset
        self.log.record(scorer, _unique_id(), kept)
        g.rows, g.version = scorer.findings.scored, model.version
        self.metrics.count_answers(scorer.findings, scorer.answered)
        memory.release_after(scorer.findings.scored)
        return _response(scorer, body)

    def _scorer(
        self, model: LoadedModel, writer: JsonWriter, threshold: float | None
    ) -> RequestScorer:
        canary = self.canaries.of(model)
        return RequestScorer(
            model,
            writer,
            threshold,
            self.serve.max_rows,
            keep_features=self.log.keeps_features,
            shadow_rows=self.log.wanted_rows,
            canary=canary if canary and canary.reads_alike else None,
            request_id=g.request_id,
        )


def blueprint(
    models: ModelManager, config: Config, log: AnswerLog, canaries: Canaries, metrics: Metrics
) -> Blueprint:
    """Return the routes that score and take feedback."""
    routes = Blueprint("predict", __name__)
    semaphore = threading.Semaphore(scoring_threads_of(config))
    scoring = _Scoring(config.serve, log, canaries, metrics, semaphore)

    @routes.post("/predict")
    def predict() -> Response:
        model = models.require()
        _check_options("explain", "threshold")
        threshold, explain = _threshold(model), _explain(model)
        return scoring.answer(model, WRITERS[_accepted_type()](explain), threshold)

    @routes.post("/invocations")
    def invocations() -> Response:
        """Score rows as MLflow's scoring server does, which ignores options in the query."""
        return scoring.answer(models.require(), MlflowWriter())

    @routes.post("/truth")  # the earlier name, valid until release 0.2
    @routes.post("/feedback")
    def feedback() -> Response:
        _check_options()
        model = models.require()
        body = RequestBody(request, config.serve)
        blocks = label_reader(model, config).read(body.pieces(), body.form, body.charset)
        return jsonify(add_ground_truth(config, blocks, model.contract))

    return routes


def _score_all(
    scorer: RequestScorer, blocks: Iterator[Block], semaphore: threading.Semaphore
) -> None:
    """Score every block of the body; raise ContractViolation with the violations of all rows."""
    started = time.perf_counter()
    while block := next(blocks, None):
        scorer.read_s += time.perf_counter() - started
        with semaphore if len(block.features) > _SMALL_BLOCK else nullcontext():
            scorer.add(block)
        started = time.perf_counter()
    if violations := scorer.findings.violations:
        raise ContractViolation(violations, what="the request")
    if not scorer.findings.scored:
        raise DataError(
            "no row of the request has a value",
            hint="blank rows are left out; POST /invocations answers them too",
        )


def _unique_id() -> str:
    """Return the request's id, with a unique suffix if the client chose it: it may be used again."""
    request_id = str(g.request_id)
    return f"{request_id}-{new_id()}" if "X-Request-ID" in request.headers else request_id


def _response(scorer: RequestScorer, body: RequestBody) -> Response:
    response = Response(scorer.body(), mimetype=scorer.writer.mimetype)
    response.headers.update(scorer.headers(body.receive_s))
    return response


def _accepted_type() -> str:
    """Return the media type of the answer that the request prefers."""
    if not request.accept_mimetypes:
        return JSON
    # Parameters such as a charset do not matter: answers are always UTF-8.
    wanted = [(registered(kind), share) for kind, share in request.accept_mimetypes]
    best = MIMEAccept(wanted).best_match([JSON, CSV, JSON_LINES])
    if best is None:
        raise NotAcceptable(f"answers are available as {JSON}, {CSV} or {JSON_LINES}")
    return str(best)


def _check_options(*known: str) -> None:
    """Raise BadRequest unless every option of the query is known, and given once."""
    for name, values in request.args.lists():
        shown = repr(name[:40])
        if name not in known:
            names = f"known are {' and '.join(known)}" if known else "this route has none"
            raise BadRequest(f"unknown option {shown}; {names}")
        if len(values) > 1:
            raise BadRequest(f"the option {shown} is given {len(values)} times; give it once")


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
    most = len(model.predictor.feature_names)
    if model.predictor.contribute is None:
        raise BadRequest(
            "this model gives no contributions; LightGBM models do, without linear trees"
        )
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise BadRequest(f"explain must be an integer from 1 to {most}, the number of features")
    return int(text)
