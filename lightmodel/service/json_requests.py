"""Answers small JSON requests to `POST /predict` on the event loop, which costs less than a thread.

Only what can be answered is answered here. Everything else, errors above all, is left to Flask's routes,
which read the request again.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightmodel.config import Config
from lightmodel.errors import LightModelError
from lightmodel.scoring.answer_writers import JsonWriter
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.service.answer_log import AnswerLog
from lightmodel.service.canary import Canaries, Canary
from lightmodel.service.observability import (
    HEADERS,
    Metrics,
    log_request,
    new_id,
    request_id_of,
)
from lightmodel.service.request_scorer import RequestScorer
from lightmodel.service.security import Callers, client_address
from lightmodel.tables.blocks import Block

logger = logging.getLogger(__name__)

ROUTE = "/predict"
MAX_BYTES = 64 << 10
_MAX_ROWS = 256  # scored in less than a millisecond
_JSON_TYPES = {
    b"application/json",
    b"application/json; charset=utf-8",
    b"application/json;charset=utf-8",
}
_JSON_WANTED = {
    b"*/*",
    b"application/json",
    b"application/json, text/plain, */*",
    b"application/json, */*;q=0.5",
}
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

Headers = Mapping[bytes, bytes]


@dataclass(frozen=True)
class JsonResponse:
    """An answer with status 200."""

    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True)
class JsonRequests:
    """Answers small JSON requests by the served model."""

    config: Config
    models: ModelManager
    log: AnswerLog
    canaries: Canaries
    metrics: Metrics
    callers: Callers

    def accepts(self, scope: Mapping[str, Any], headers: Headers) -> bool:
        """Return whether a request is small JSON for `POST /predict`, without any option."""
        length = headers.get(b"content-length", b"")
        return (
            scope["path"] == ROUTE
            and scope["method"] == "POST"
            and not scope["query_string"]
            and headers.get(b"content-type", b"").lower() in _JSON_TYPES
            and headers.get(b"accept", b"*/*") in _JSON_WANTED
            and b"content-encoding" not in headers
            and not self.config.serve.cors_origins
            and len(headers) == len(scope["headers"])  # none is repeated
            and length.isdigit()
            and int(length) <= MAX_BYTES
        )

    def answer(
        self, scope: Mapping[str, Any], headers: Headers, body: bytes
    ) -> JsonResponse | None:
        """Return the answer to an accepted request; None if Flask has to answer it."""
        started = time.perf_counter()
        model = self.models.loaded
        if model is None or not model.is_quick or body.lstrip()[:1] not in {b"{", b"["}:
            return None
        key = self._key_name(headers)
        if self.callers.need_key and not key:
            return None
        sent_id = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = request_id_of(sent_id)
        scorer = self._score(model, body, started, request_id)
        # Only an answer counts here: what is left to Flask is counted there.
        address = client_address(scope, self.config.serve.proxies)
        if scorer is None or self.callers.acquire(key, address):
            return None
        # The client's id may be used again; in the log it is made unique.
        unique_id = f"{request_id}-{new_id()}" if sent_id else request_id
        if (kept := self.log.body("json")) is not None:
            kept.content = body
        self.log.record(scorer, unique_id, kept)
        response = _response(scorer, request_id)
        self._count(scorer, request_id, time.perf_counter() - started)
        return response

    def _key_name(self, headers: Headers) -> str:
        if not self.callers.need_key:
            return ""
        sent = headers.get(b"x-api-key") or headers.get(b"authorization", b"")
        return self.callers.key_name(sent.removeprefix(b"Bearer ").decode("latin-1"))

    def _score(
        self, model: LoadedModel, body: bytes, started: float, request_id: str
    ) -> RequestScorer | None:
        """Score the rows of a body; return None if it has too many, or is not valid."""
        canary = self.canaries.of(model)
        try:
            block = model.body_reader.json_blocks.read(body)
            if block.violations or len(block.features) > _MAX_ROWS:
                return None
            read_s = time.perf_counter() - started
            if canary is not None and not canary.reads_alike:
                if scorer := self._score_again(canary, body, block, request_id):
                    return scorer
                canary = None
            scorer = self._scorer(model, canary, request_id)
            scorer.read_s = read_s
            scorer.add(block)
            if not scorer.findings.scored:
                return None
        except LightModelError:
            return None
        except Exception:
            logger.exception("a request is left to Flask")
            return None
        return scorer

    def _scorer(self, model: LoadedModel, canary: Canary | None, request_id: str) -> RequestScorer:
        return RequestScorer(
            model,
            JsonWriter(),
            None,
            self.config.serve.max_rows,
            keep_features=self.log.keeps_features,
            shadow_rows=self.log.wanted_rows,
            canary=canary,
            request_id=request_id,
        )

    def _score_again(
        self, canary: Canary, body: bytes, block: Block, request_id: str
    ) -> RequestScorer | None:
        """Score by a canary that reads rows in its own way, if all rows are its own."""
        rows = len(block.features)
        if not canary.model.is_quick or not canary.asked(block.ids, rows, request_id).all():
            return None
        scorer = self._scorer(canary.model, None, request_id)
        try:
            own = canary.model.body_reader.json_blocks.read(body)
            scorer.add(own)
            canary.check(scorer.answered, own, rows)
        except Exception as error:  # noqa: BLE001 — the stable version answers instead
            canary.fail(rows, error)
            return None
        return scorer

    def _count(self, scorer: RequestScorer, request_id: str, seconds: float) -> None:
        self.metrics.count_answers(scorer.findings, scorer.answered)
        self.metrics.count_request(ROUTE, "POST", 200, seconds)
        more = {
            "request_id": request_id,
            "rows": scorer.findings.scored,
            "version": scorer.model.version,
        }
        log_request("POST", ROUTE, 200, seconds, more)


def _response(scorer: RequestScorer, request_id: str) -> JsonResponse:
    body = scorer.body()
    own = {**scorer.headers(), "X-Request-ID": request_id}
    return JsonResponse(
        [
            (b"content-type", JsonWriter.mimetype.encode()),
            (b"content-length", b"%d" % len(body)),
            *((name.lower().encode(), value.encode()) for name, value in own.items()),
            *_HEADERS,
        ],
        body,
    )
