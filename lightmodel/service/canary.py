"""A canary: a newly approved version that answers a share of the ids, until it is promoted or fails."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lightmodel.contract.cells import Mask
from lightmodel.errors import ContractViolation
from lightmodel.predictions.base import id_text
from lightmodel.scoring.predictor import Answers, LoadedModel, reads_alike
from lightmodel.store.canary import fails_too_often, is_canarys
from lightmodel.tables.blocks import Block

logger = logging.getLogger(__name__)

Count = Callable[[str, int], None]


@dataclass(frozen=True)
class SharedAnswers:
    """The answers of two versions to the rows of a block.

    Attributes:
        answers: to all rows, in their order.
        asked: (rows,) whether the canary was asked.
        failed: whether it failed, so that the stable version has answered all rows.
    """

    answers: Answers
    asked: Mask
    failed: bool = False


@dataclass
class Canary:
    """Two versions of which the newer one answers a share of the ids.

    If it fails, the stable version answers; if it fails too often, it is not asked any more.

    Attributes:
        share: of the ids.
        count: receives "answered" or "failed", and a number of rows.
        reads_alike: whether it takes the features that the stable version has read. If not, it answers only
            requests that it reads again as a whole: small JSON.
    """

    stable: LoadedModel
    model: LoadedModel
    share: float
    count: Count
    reads_alike: bool
    is_stopped: bool = False
    _rows: int = 0
    _failed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, ids: Sequence[Any] | None, rows: int, request: str) -> Mask:
        """Return (rows,) whether the canary answers: by a row's id, or else by the request's."""
        keys = [None] * rows if ids is None else map(id_text, ids)
        version, share = self.model.version, 0.0 if self.is_stopped else self.share
        return np.array([is_canarys(key or request, version, share) for key in keys], np.bool_)

    def answer(
        self, block: Block, request: str, *, threshold: float | None = None, explain: int = 0
    ) -> SharedAnswers:
        """Predict the rows of a block that both models read alike; see `Predictor.answer`."""
        stable = self.stable.predictor
        asked = self.asked(block.ids, len(block.features), request)
        if explain and self.model.predictor.contribute is None:
            asked[:] = False
        if asked.any():
            try:
                part = self.model.predictor.answer(
                    _rows(block, asked), threshold=threshold, explain=explain
                )
                self.check([part], block, int(asked.sum()))
            except Exception as error:  # noqa: BLE001 — the stable version answers instead
                self.fail(int(asked.sum()), error)
                answers = stable.answer(block, threshold=threshold, explain=explain)
                return SharedAnswers(answers, asked, failed=True)
            if asked.all():
                return SharedAnswers(part, asked)
            rest = stable.answer(_rows(block, ~asked), threshold=threshold, explain=explain)
            return SharedAnswers(_merged(block, asked, part, rest), asked)
        return SharedAnswers(stable.answer(block, threshold=threshold, explain=explain), asked)

    def check(self, answered: Sequence[Answers], block: Block, rows: int) -> None:
        """Count the canary's answers to so many rows of a block that it has read.

        Raises:
            ContractViolation: rows break its contract.
            ArithmeticError: a row has no score, or one that is not finite.
        """
        if block.violations:
            raise ContractViolation(block.violations, what="the request")
        scored = sum(int(answers.finite.sum()) for answers in answered)
        if scored != rows:
            raise ArithmeticError
        with self._lock:
            self._rows += rows
        self.count("answered", rows)

    def fail(self, rows: int, error: Exception) -> None:
        """Count rows that the canary could not score; stop asking it if there are too many."""
        with self._lock:
            self._rows += rows
            self._failed += rows
            first, stops = self._failed == rows, fails_too_often(self._failed, self._rows)
            stops, self.is_stopped = stops and not self.is_stopped, self.is_stopped or stops
        self.count("failed", rows)
        why = getattr(error, "message", "") or type(error).__name__
        if first:
            logger.warning("the canary %s could not score a request: %s", self.model.version, why)
        if stops:
            logger.error(
                "the canary %s is asked no more by this worker: it could not score %d of %d rows; "
                "`python -m lightmodel live --check` withdraws it",
                *(self.model.version, self._failed, self._rows),
            )


class Canaries:
    """Holds the canary of the served version, if there is one."""

    def __init__(self, share: float, count: Count) -> None:
        self._share, self._count = share, count
        self._canary: Canary | None = None

    def use(self, model: LoadedModel | None, served: LoadedModel) -> None:
        """Let a model answer a share of the ids from now on; None: the served one answers all."""
        before = self._canary
        if before is not None and before.model is model and before.stable is served:
            return
        self._canary = None
        if model is not None:
            alike = reads_alike(served, model)
            self._canary = Canary(served, model, self._share, self._count, alike)
            if not alike:
                logger.warning(
                    "the canary %s reads rows otherwise than %s, and answers only small JSON requests",
                    *(model.version, served.version),
                )

    def of(self, served: LoadedModel) -> Canary | None:
        """Return the canary beside a served model."""
        canary = self._canary
        return canary if canary is not None and canary.stable is served else None


def _rows(block: Block, mask: Mask) -> Block:
    """Return the rows of a block for which a mask holds."""
    others = None if block.others is None else block.others.take(np.flatnonzero(mask))
    ids = None
    if block.ids is not None:
        ids = [one for one, taken in zip(block.ids, mask.tolist(), strict=True) if taken]
    return replace(block, features=block.features[mask], ids=ids, others=others)


def _merged(block: Block, asked: Mask, part: Answers, rest: Answers) -> Answers:
    """Return the answers of both in the order of the block's rows."""
    scores = np.empty((len(asked), *rest.scores.shape[1:]))
    scores[asked], scores[~asked] = part.scores, rest.scores
    own, other = iter(range(len(part.predictions))), iter(range(len(rest.predictions)))
    places = [(part, next(own)) if one else (rest, next(other)) for one in asked.tolist()]

    def joined(name: str) -> list[Any] | None:
        if getattr(rest, name) is None:
            return None
        return [getattr(answers, name)[at] for answers, at in places]

    return replace(
        rest,
        ids=block.ids,
        predictions=joined("predictions") or [],
        scores=scores,
        contributions=joined("contributions"),
        base_values=joined("base_values"),
    )
