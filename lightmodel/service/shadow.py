"""A challenger scores the rows that the served model has answered, when the worker has time for it."""

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from lightmodel.contract.cells import Matrix
from lightmodel.contract.imputation import impute
from lightmodel.predictions.base import AnsweredRows
from lightmodel.predictions.log import PredictionLog
from lightmodel.scoring.predictor import Answers, LoadedModel, reads_alike
from lightmodel.service.load_meter import LoadMeter
from lightmodel.tables.blocks import Block
from lightmodel.tables.file_forms import Form

logger = logging.getLogger(__name__)

MOST_ROWS = 1_000  # of a request; of a larger one, the first
MOST_BYTES = 64 << 10  # of a body that a challenger reads by its own contract
_MOST_WAITING_BYTES = 16 << 20
_GATHER_S = 0.25  # rows that arrive within it are scored together
_MOST_LOAD = 0.5  # of a worker that has time for a challenger
_STOP_S = 5.0
# After each request whose scores are logged: without it, a batch holds the interpreter's lock for as
# long as Python lets one thread (5 ms), and the answers that come due meanwhile wait.
_PAUSE_S = 0.0005
_NICENESS = 10  # of the thread: where all cores are taken, the answers get them

Count = Callable[[str, int], None]


class ShadowRequest(NamedTuple):
    """An answered request that waits for the challenger.

    Attributes:
        rows: as they were answered and logged.
        served: the version whose contract the features satisfy.
        features: (rows, features) of the first rows; empty if the challenger reads the body.
        body: the whole body; b"" if the challenger takes the features.
        form: of the body; None if it has to be detected.
        charset: of the body.
        drops_blank: whether rows without a value were left out.
    """

    rows: AnsweredRows
    served: str
    features: Sequence[Matrix]
    body: bytes = b""
    form: Form | None = None
    charset: str = ""
    drops_blank: bool = True

    @property
    def size(self) -> int:
        """The number of rows to score."""
        return min(len(self.rows.predictions), MOST_ROWS)

    @property
    def bytes(self) -> int:
        """The bytes that it takes in memory, about."""
        total = len(self.body) + 200
        for part in self.features:
            total += part.nbytes
        return total


@dataclass(frozen=True)
class _Challenger:
    """A challenger, and how it reads what the served version has answered."""

    model: LoadedModel
    served: str
    takes_features: bool


class Shadow:
    """Scores answered requests by a challenger in a thread of its own, and logs the scores.

    Answering costs no more than putting the request on a queue. Once in a quarter of a second the queue is
    scored as a whole, or dropped if the worker was busy meanwhile. `count` is called with "scored",
    "failed", "shed" (for lack of time or room) or "skipped" (the challenger cannot read the rows), and a
    number of rows. The thread starts at the first request, hence after gunicorn's fork.
    """

    def __init__(
        self,
        log: PredictionLog,
        count: Count,
        meter: LoadMeter,
    ) -> None:
        self._log, self._count, self._meter = log, count, meter
        self._challenger: _Challenger | None = None
        self._queue: deque[ShadowRequest] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = 0
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._has_failed = False

    def use(self, model: LoadedModel | None, served: LoadedModel) -> None:
        """Score by this challenger from now on what a version has answered; by none if it is None."""
        self._has_failed = False
        self._challenger = (
            _Challenger(model, served.version, reads_alike(served, model)) if model else None
        )

    @property
    def wanted_rows(self) -> int:
        """The number of rows whose features are to be kept for `offer`."""
        challenger = self._challenger
        return MOST_ROWS if challenger and challenger.takes_features else 0

    @property
    def wants_body(self) -> bool:
        """Whether the body is to be kept for `offer`, if it is no longer than MOST_BYTES."""
        challenger = self._challenger
        return challenger is not None and not challenger.takes_features

    def offer(self, request: ShadowRequest) -> None:
        """Queue a request; it is shed if the queue is full."""
        if self._challenger is None:
            return
        with self._lock:
            size = request.bytes
            is_full = self._bytes > 0 and self._bytes + size > _MOST_WAITING_BYTES
            refused = is_full or self._stopping.is_set() or not self._start()
            if not refused:
                self._queue.append(request)
                self._bytes += size
        if refused:
            self._count("shed", request.size)
        elif not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Drop what waits."""
        if self._process == os.getpid() and self._thread is not None:
            self._stopping.set()
            self._wake.set()
            self._thread.join(_STOP_S)

    def _start(self) -> bool:
        """Start the thread unless it runs; return whether it does."""
        if self._thread is None:
            thread = threading.Thread(target=self._keep_scoring, name="shadow", daemon=True)
            with suppress(
                RuntimeError
            ):  # the system's limit of threads; the next request tries again
                thread.start()
                self._thread, self._process = thread, os.getpid()
        return self._thread is not None

    def _keep_scoring(self) -> None:
        if sys.platform == "linux":  # elsewhere it would be the whole process's
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while not self._stopping.is_set():
            self._wake.wait()
            self._meter.start()
            self._stopping.wait(_GATHER_S)
            self._wake.clear()
            batch = self._taken()
            if self._stopping.is_set() or self._meter.load() > _MOST_LOAD:
                self._count("shed", sum(request.size for request in batch))
            else:
                self._score(batch)

    def _taken(self) -> list[ShadowRequest]:
        with self._lock:
            batch = list(self._queue)
            self._queue.clear()
            self._bytes = 0
        return batch

    def _score(self, batch: Sequence[ShadowRequest]) -> None:
        """Score a batch; rows that the challenger cannot read are skipped."""
        challenger = self._challenger
        if challenger is None:
            return
        by_features = [one for one in batch if one.features and one.served == challenger.served]
        if challenger.takes_features and by_features:
            self._score_features(challenger.model, by_features)
        for request in batch:
            if request.body and request.served == challenger.served:
                self._score_body(challenger.model, request)
            elif not request.features or request.served != challenger.served:
                self._count("skipped", request.size)

    def _score_features(self, model: LoadedModel, batch: Sequence[ShadowRequest]) -> None:
        parts = [part for request in batch for part in request.features]
        try:
            answers = _answer(model, np.concatenate(parts))
        except Exception as error:  # noqa: BLE001 — a challenger may run a user's code
            if len(batch) == 1:
                self._fail(model, batch[0], error)
                return
            for request in batch:  # to find the one that fails
                self._score_features(model, [request])
            return
        start = 0
        for request in batch:
            stop = start + sum(len(part) for part in request.features)
            self._record(model, request, answers, slice(start, stop))
            start = stop

    def _score_body(self, model: LoadedModel, request: ShadowRequest) -> None:
        reader = model.body_reader if request.drops_blank else model.full_reader
        try:
            blocks = list(reader.read(iter([request.body]), request.form, request.charset))
            answered = [model.predictor.answer(block) for block in blocks if len(block.features)]
            if sum(len(one.predictions) for one in answered) != len(request.rows.predictions):
                self._count("skipped", request.size)
                return
        except Exception as error:  # noqa: BLE001 — as above
            self._fail(model, request, error)
            return
        start = 0
        for answers in answered:
            size = len(answers.predictions)
            self._record(model, request, answers, slice(0, size), start)
            start += size

    def _record(
        self,
        model: LoadedModel,
        request: ShadowRequest,
        answers: Answers,
        part: slice,
        start: int = 0,
    ) -> None:
        """Log a part of the answers as those of the request's rows from `start` on."""
        some = replace(answers, predictions=answers.predictions[part], scores=answers.scores[part])
        finite = some.finite
        predictions = [
            one if good else None
            for one, good in zip(some.predictions, finite.tolist(), strict=True)
        ]
        self._log_rows(model, request, predictions, some.probabilities(), start)
        failed = len(finite) - int(finite.sum())
        self._count("scored", len(finite) - failed)
        if failed:
            self._count("failed", failed)
        time.sleep(_PAUSE_S)

    def _fail(self, model: LoadedModel, request: ShadowRequest, error: Exception) -> None:
        """Log that the challenger could not score a request; say why once."""
        if not self._has_failed:
            logger.warning(
                "%s could not score rows as a challenger: %s", model.version, _why(error)
            )
        self._has_failed = True
        self._log_rows(model, request, [None] * request.size, None, 0)
        self._count("failed", request.size)

    def _log_rows(
        self,
        model: LoadedModel,
        request: ShadowRequest,
        predictions: list[Any],
        probabilities: list[Any] | None,
        start: int,
    ) -> None:
        rows, stop = request.rows, start + len(predictions)
        self._log.record(
            AnsweredRows(
                rows.request,
                rows.time,
                model.version,
                None if rows.ids is None else rows.ids[start:stop],
                predictions,
                probabilities,
                numbers=range(start + 1, stop + 1),
            )
        )


def _answer(model: LoadedModel, features: Matrix) -> Answers:
    """Return the model's answers to rows in the form of its contract."""
    imputed = model.predictor.imputed
    matrix = features if imputed is None else impute(features, imputed)
    return model.predictor.answer(Block(matrix, None, (), {}))


def _why(error: Exception) -> str:
    """Return the reason without a cell's value: only our own errors are known to have none."""
    return getattr(error, "message", "") or type(error).__name__
