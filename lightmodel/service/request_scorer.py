"""Scores the rows of one request block by block; Flask's routes and the event loop both use it."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import numpy as np

from lightmodel.contract.cells import Matrix
from lightmodel.errors import TooLarge
from lightmodel.predictions.base import AnsweredRows
from lightmodel.scoring.answer_writers import JsonWriter
from lightmodel.scoring.predictor import Answers, LoadedModel
from lightmodel.service.canary import Canary, SharedAnswers
from lightmodel.tables.blank_rows import described
from lightmodel.tables.blocks import Block, ValidationReport
from lightmodel.tables.row_rules import json_features

_MAX_ROWS_WITH_FEATURES = 10_000  # of a request that is logged; more would fill the memory
_MAX_NAMED = 20  # columns that a header of the response names
_MAX_NAME = 80  # characters of such a name
_MAX_RANGES = 100  # of blank rows in another header


@dataclass
class RequestScorer:
    """Scores the rows of one request block by block, and keeps the answers.

    Attributes:
        writer: encodes the answers, and defines the number of contributions.
        threshold: the decision threshold; None stands for the model's own.
        keep_features: whether to keep the features for the prediction log.
        shadow_rows: the number of rows whose features to keep for a challenger.
        canary: answers a share of the rows; None if there is none.
        request_id: by which a canary is chosen for rows without an id.
        findings: violations, counted warnings and ignored columns so far.
        read_s: seconds spent on receiving and parsing rows.
        features: the features of the first answered rows, for the prediction log or a challenger.
        shared: the part of a canary in each block.
    """

    model: LoadedModel
    writer: JsonWriter
    threshold: float | None
    max_rows: int
    keep_features: bool
    shadow_rows: int = 0
    canary: Canary | None = None
    request_id: str = ""
    findings: ValidationReport = field(default_factory=ValidationReport)
    read_s: float = 0.0
    score_s: float = 0.0
    encode_s: float = 0.0
    answered: list[Answers] = field(default_factory=list)
    features: list[Matrix] = field(default_factory=list)
    shared: list[SharedAnswers] = field(default_factory=list)

    def add(self, block: Block) -> None:
        """Score a block, unless it or an earlier one has violations."""
        self.findings.add(block)
        if self.findings.scored > self.max_rows:
            raise TooLarge(f"the request has more than {self.max_rows:,} rows (serve.max_rows)")
        if self.findings.violations:
            self.answered.clear()
            self.features.clear()
            self.shared.clear()
            return
        if not len(block.features):  # all rows are blank
            return
        started = time.perf_counter()
        answers = self._answer(block)
        scored = time.perf_counter()
        self.writer.add(answers, self.model.body_reader.limits.answer)
        if answers.contributions is not None:  # these are not logged
            answers = replace(answers, contributions=None, base_values=None)
        self.answered.append(answers)
        self._keep(block.features)
        self.score_s += scored - started
        self.encode_s += time.perf_counter() - scored

    def _answer(self, block: Block) -> Answers:
        threshold, explain = self.threshold, self.writer.explain
        if self.canary is None:
            return self.model.predictor.answer(block, threshold=threshold, explain=explain)
        shared = self.canary.answer(block, self.request_id, threshold=threshold, explain=explain)
        self.shared.append(shared)
        return shared.answers

    def _keep(self, features: Matrix) -> None:
        most = _MAX_ROWS_WITH_FEATURES if self.keep_features else self.shadow_rows
        if most and (room := most - self.findings.scored + len(features)) > 0:
            self.features.append(features if room >= len(features) else features[:room].copy())

    def body(self) -> bytes:
        """Return the response's body."""
        started = time.perf_counter()
        body = self.writer.body()
        self.encode_s += time.perf_counter() - started
        return body

    def headers(self, received_s: float = 0.0) -> dict[str, str]:
        """Return the response's own headers; `received_s` is the part of `read_s` spent on receiving."""
        headers = {
            "X-Model-Version": ", ".join(self._versions()) if self.shared else self.model.version,
            "Server-Timing": self._server_timing(received_s),
        }
        if extra := self.findings.extra:
            more = f", and {len(extra) - _MAX_NAMED} more" if len(extra) > _MAX_NAMED else ""
            headers["X-Ignored-Columns"] = _printable(", ".join(extra[:_MAX_NAMED])) + more
        if blank := self.findings.blank:
            count = self.findings.rows - self.findings.scored
            headers["X-Blank-Rows"] = f"{count}; rows={described(blank, _MAX_RANGES)}"
        for header, found in (
            ("X-Unseen-Categories", self.findings.unseen),
            ("X-Missing-Formulas", self.findings.lost),
            ("X-Missing-Values", self.findings.missing),
            ("X-Out-Of-Range", self.findings.out_of_range),
        ):
            if found:
                headers[header] = _counts(found)
        return headers

    def rows_to_log(self, request_id: str) -> AnsweredRows:
        """Return the answered rows for the prediction log; `request_id` is unique in it."""
        answered, features = self.answered, list[Matrix]()
        if self.keep_features and self.findings.scored <= _MAX_ROWS_WITH_FEATURES:
            features = self.features
        return AnsweredRows(
            request=request_id,
            time=datetime.now(UTC),
            version=self._version_of_rows() if self.shared else self.model.version,
            ids=_joined([one.ids for one in answered]),
            predictions=_joined([one.predictions for one in answered]) or [],
            probabilities=_joined([one.probabilities() for one in answered]),
            features=json_features(np.concatenate(features), self.model.contract)
            if features
            else None,
        )

    def failed_rows(self, request_id: str) -> AnsweredRows | None:
        """Return the rows that a canary was asked and could not score; None if there are none."""
        ids, numbers, start = list[Any](), list[int](), 0
        for shared in self.shared:
            if shared.failed:
                places = np.flatnonzero(shared.asked).tolist()
                numbers += [start + at + 1 for at in places]
                own = shared.answers.ids
                ids += [None if own is None else own[at] for at in places]
            start += len(shared.asked)
        if not numbers or self.canary is None:
            return None
        version, moment = self.canary.model.version, datetime.now(UTC)
        nothing = [None] * len(numbers)
        return AnsweredRows(request_id, moment, version, ids, nothing, None, numbers=numbers)

    def _version_of_rows(self) -> list[str]:
        canary = self.canary.model.version if self.canary else ""
        return [
            canary if asked and not shared.failed else self.model.version
            for shared in self.shared
            for asked in shared.asked.tolist()
        ]

    def _versions(self) -> list[str]:
        """Return the versions that have answered, the older one first."""
        return sorted(set(self._version_of_rows()))

    def _server_timing(self, received_s: float) -> str:
        parse_s = max(0.0, self.read_s - received_s)
        return (
            f"receive;dur={received_s * 1e3:.2f}, parse;dur={parse_s * 1e3:.2f}, "
            f"predict;dur={self.score_s * 1e3:.2f}, encode;dur={self.encode_s * 1e3:.2f}"
        )


def _joined(parts: Sequence[Sequence[Any] | None]) -> Sequence[Any] | None:
    """Return all parts as one list, or None if the blocks have none."""
    if len(parts) == 1:
        return parts[0]
    filled: Iterable[Sequence[Any]] = (part or () for part in parts)
    return None if parts[0] is None else list(chain.from_iterable(filled))


def _counts(found: Mapping[str, int]) -> str:
    """Return counts by column as a header's value, such as "Age=2, Fare=1"; marks in names are escaped."""
    names = sorted(found)
    shown = [f"{_escaped(name)}={found[name]}" for name in names[:_MAX_NAMED]]
    if len(names) > _MAX_NAMED:
        shown.append(f"and {len(names) - _MAX_NAMED} more")
    return ", ".join(shown)


def _escaped(name: str) -> str:
    return _printable(name).replace("=", "\\x3d").replace(",", "\\x2c")[:_MAX_NAME]


def _printable(text: str) -> str:
    """Return a text as a header's value: one line of at most 2000 ASCII characters."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in plain)[:2000]
