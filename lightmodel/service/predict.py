"""`POST /predict`: rows in, one answer a row out; scored block by block while they arrive."""

import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain

import numpy as np
from flask import Blueprint, Request, Response, g, request
from werkzeug.exceptions import BadRequest, NotAcceptable

from lightmodel.config import Config
from lightmodel.contract.arrays import Matrix
from lightmodel.errors import ContractViolation, TooLarge
from lightmodel.predictions.log import AnsweredRows, PredictionLog
from lightmodel.scoring.loaded_model import Served
from lightmodel.scoring.predictor import Answers, probabilities_of
from lightmodel.service.answer_forms import (
    CSV,
    JSON,
    JSON_LINES,
    Encoded,
    encoder,
    mlflow_encoder,
)
from lightmodel.service.metrics import Metrics
from lightmodel.service.model_manager import Holder
from lightmodel.service.request_body import Incoming
from lightmodel.service.tracing import new_id
from lightmodel.store.factory import scoring_threads_of
from lightmodel.tables.encode import plain_features
from lightmodel.tables.findings import Findings
from lightmodel.tables.row_rules import Block

_LOGGED_WITH_FEATURES = 10_000  # rows of a request; more of them would fill the memory
_FEW = 256  # rows that are scored sooner than a turn comes
_NAMED = 20  # ignored columns in the header of an answer


@dataclass(frozen=True)
class Wish:
    """What a request asks for besides scores."""

    threshold: float | None = None
    explain: int = 0


@dataclass
class Timing:
    """Seconds spent on reading rows, scoring them and writing answers."""

    read: float = 0.0
    score: float = 0.0
    encode: float = 0.0

    def header(self, received: float) -> str:
        """Give it as `Server-Timing`; rows are read while they are received."""
        parts = {
            "receive": received,
            "parse": max(0.0, self.read - received),
            "predict": self.score,
            "encode": self.encode,
        }
        return ", ".join(f"{name};dur={seconds * 1e3:.2f}" for name, seconds in parts.items())


@dataclass
class Answering:
    """One request on its way: a model, what is wished, and what was found so far."""

    served: Served
    wish: Wish
    encoded: Encoded
    gate: threading.Semaphore
    most_rows: int
    keep_features: bool
    findings: Findings = field(default_factory=Findings)
    timing: Timing = field(default_factory=Timing)
    answered: list[Answers] = field(default_factory=list)
    features: list[Matrix] = field(default_factory=list)

    def take(self, block: Block) -> None:
        """Score a block, as long as nothing was wrong with this or an earlier one."""
        self.findings.add(block)
        if self.findings.rows > self.most_rows:
            raise TooLarge(f"the request has more than {self.most_rows:,} rows (serve.max_rows)")
        if self.findings.violations:
            self.answered.clear()
            self.features.clear()
            return
        started = time.perf_counter()
        answers = self.served.predictor.answer(
            block, threshold=self.wish.threshold, explain=self.wish.explain
        )
        scored = time.perf_counter()
        self.encoded.add(answers)
        self.answered.append(replace(answers, contributions=None))  # encoded, and not logged
        if self.keep_features and self.findings.rows <= _LOGGED_WITH_FEATURES:
            self.features.append(block.features)
        self.timing.score += scored - started
        self.timing.encode += time.perf_counter() - scored


def blueprint(holder: Holder, config: Config, log: PredictionLog, metrics: Metrics) -> Blueprint:
    """Give the routes; so many blocks are scored at once as there are scoring threads."""
    routes = Blueprint("predict", __name__)
    gate = threading.Semaphore(scoring_threads_of(config))

    def answer(served: Served, encoded: Encoded, wish: Wish) -> Response:
        incoming = Incoming(request, config.serve)
        limit, keep = config.serve.max_rows, config.log.features
        done = Answering(served, wish, encoded, gate, limit, keep_features=keep)
        _read_all(done, incoming, config)
        log.record(rows_to_log(done))
        _count(done, metrics)
        return _response(done, incoming)

    @routes.post("/predict")
    def predict() -> Response:
        served = holder.require()
        wish = _wish(served)
        return answer(served, encoder(_wanted(request), served.contract, wish.explain), wish)

    @routes.post("/invocations")
    def invocations() -> Response:
        return answer(holder.require(), mlflow_encoder(), Wish())

    return routes


def _count(done: Answering, metrics: Metrics) -> None:
    g.rows, g.version = done.findings.rows, done.served.version
    metrics.count_rows(done.findings.rows, done.findings.unseen.total())
    if done.served.contract.task.positive is not None:
        for answers in done.answered:
            metrics.count_scores(answers.scores)


def _read_all(answering: Answering, incoming: Incoming, config: Config) -> None:
    """Read and score every block.

    Raises:
        ContractViolation: with everything that is wrong with any row.
    """
    form, reader = incoming.form, answering.served.body_reader(config)
    started = time.perf_counter()
    blocks = reader.read(incoming.pieces(), form, incoming.charset)
    while block := next(blocks, None):
        answering.timing.read += time.perf_counter() - started
        with answering.gate if len(block.features) > _FEW else nullcontext():
            answering.take(block)
        started = time.perf_counter()
    if found := answering.findings.violations:
        raise ContractViolation(found, what="the request", hint="GET /schema says what is expected")


def rows_to_log(done: Answering) -> AnsweredRows:
    """Give the answered rows as the prediction log takes them."""
    contract, answered = done.served.contract, done.answered
    ids = (
        None
        if answered[0].ids is None
        else list(chain.from_iterable(one.ids or () for one in answered))
    )
    probabilities = [probabilities_of(one, contract) for one in answered]
    return AnsweredRows(
        request=_unique_id(),
        time=datetime.now(UTC),
        version=done.served.version,
        ids=ids,
        predictions=list(chain.from_iterable(one.predictions for one in answered)),
        probabilities=list(chain.from_iterable(probabilities))
        if contract.task.kind.has_classes
        else None,
        features=plain_features(np.concatenate(done.features), contract) if done.features else None,
    )


def _unique_id() -> str:
    """Give the request's id; one that the client chose may come again, and is made longer."""
    given = str(g.request_id)
    return f"{given}-{new_id()}" if "X-Request-ID" in request.headers else given


def _response(answering: Answering, incoming: Incoming) -> Response:
    started = time.perf_counter()
    response = Response(answering.encoded.body(), mimetype=answering.encoded.mimetype)
    answering.timing.encode += time.perf_counter() - started
    response.headers["X-Model-Version"] = answering.served.version
    response.headers["Server-Timing"] = answering.timing.header(incoming.seconds)
    if extra := answering.findings.extra:
        more = f", and {len(extra) - _NAMED} more" if len(extra) > _NAMED else ""
        response.headers["X-Ignored-Columns"] = _printable(", ".join(extra[:_NAMED])) + more
    if unseen := answering.findings.unseen:
        counts = ", ".join(f"{name}={count}" for name, count in sorted(unseen.items()))
        response.headers["X-Unseen-Categories"] = _printable(counts)
    return response


def _printable(text: str) -> str:
    """Make a text fit for a header: ASCII in one line, not too long."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in plain)[:2000]


def _wanted(asked: Request) -> str:
    """Give the form in which the answer is wanted."""
    if not asked.accept_mimetypes:
        return JSON
    best = asked.accept_mimetypes.best_match([JSON, CSV, JSON_LINES])
    if best is None:
        raise NotAcceptable(f"answers come as {JSON}, {CSV} or {JSON_LINES}")
    return str(best)


def _wish(served: Served) -> Wish:
    """Read the query.

    Raises:
        BadRequest: it asks for what makes no sense for this model.
    """
    threshold = request.args.get("threshold")
    explain = request.args.get("explain")
    return Wish(
        _threshold(threshold, served) if threshold is not None else None,
        _explain(explain, served) if explain is not None else 0,
    )


def _threshold(text: str, served: Served) -> float:
    if served.contract.task.positive is None:
        raise BadRequest("a threshold makes sense for two classes only, and this model has not two")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise BadRequest("threshold is a number from 0 to 1")
    return value


def _explain(text: str, served: Served) -> int:
    most = len(served.contract.features)
    if served.predictor.contribute is None:
        raise BadRequest("this model gives no contributions; LightGBM's do")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise BadRequest(f"explain is a whole number from 1 to {most}, the number of features")
    return int(text)
