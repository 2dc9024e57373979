"""Answers as JSON, JSON Lines or CSV, encoded block by block: the whole is held as bytes only."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from lightmodel.contract.columns import Contract
from lightmodel.scoring.predictor import Answers, answer_columns, label_names

JSON, JSON_LINES, CSV = "application/json", "application/x-ndjson", "text/csv"


@dataclass
class Encoded:
    """The body of an answer, growing.

    Attributes:
        mimetype: of the body.
        encode: one block of answers, as one piece.
        begin: gives what comes before all blocks, from the first of them.
        between: what comes between two.
        end: what comes after all.
    """

    mimetype: str
    encode: Callable[[Answers], bytes]
    begin: Callable[[Answers], bytes]
    between: bytes = b""
    end: bytes = b""
    _parts: list[bytes] = field(default_factory=list)

    def add(self, answers: Answers) -> None:
        """Encode one block."""
        if not self._parts:
            self._parts.append(self.begin(answers) + self.encode(answers))
        else:
            self._parts.append(self.encode(answers))

    def body(self) -> bytes:
        """Give all of it."""
        return self.between.join(self._parts) + self.end


def encoder(mimetype: str, contract: Contract, explain: int) -> Encoded:
    """Give what encodes answers in this form."""
    shape = _Shape(contract, explain)
    if mimetype == CSV:
        return Encoded(CSV, shape.csv, shape.csv_header)
    if mimetype == JSON_LINES:
        return Encoded(JSON_LINES, shape.json_lines, lambda _: b"")
    return Encoded(JSON, shape.json, lambda _: b"[", b",", b"]")


def mlflow_encoder() -> Encoded:
    """Give what encodes answers as MLflow's scoring server does: the scores, without ids."""

    def encode(answers: Answers) -> bytes:
        return orjson.dumps(answers.scores.tolist())[1:-1]

    return Encoded(JSON, encode, lambda _: b'{"predictions":[', b",", b"]}")


@dataclass(frozen=True)
class _Shape:
    """How one row of an answer looks."""

    contract: Contract
    explain: int

    def json(self, answers: Answers) -> bytes:
        return orjson.dumps(self._rows(answers))[1:-1]

    def json_lines(self, answers: Answers) -> bytes:
        return b"".join(orjson.dumps(row) + b"\n" for row in self._rows(answers))

    def _rows(self, answers: Answers) -> list[dict[str, Any]]:
        columns = answer_columns(answers, self.contract)
        names = tuple(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def csv_header(self, answers: Answers) -> bytes:
        own_id = self.contract.id
        names = [] if answers.ids is None or own_id is None else [own_id.name]
        names += ["prediction", *self._probability_names()]
        for number in range(1, self.explain + 1):
            names += [f"contribution_{number}_feature", f"contribution_{number}_value"]
        return _csv([names])

    def _probability_names(self) -> list[str]:
        if not self.contract.task.kind.has_classes:
            return []
        if self.contract.task.positive is not None:
            return ["probability"]
        return [f"probability_{name}" for name in label_names(self.contract)]

    def csv(self, answers: Answers) -> bytes:
        columns: list[Sequence[Any]] = [] if answers.ids is None else [answers.ids]
        columns.append([_plain(label) for label in answers.predictions])
        if self.contract.task.kind.has_classes:
            columns.extend(answers.scores.reshape(len(answers.scores), -1).T.tolist())
        rows = [list(row) for row in zip(*columns, strict=True)]
        for row, found in zip(rows, answers.contributions or (), strict=False):
            row += [part for one in found for part in (one["feature"], one["value"])]
        return _csv(rows)


def _plain(label: object) -> object:
    return str(label).lower() if isinstance(label, bool) else label


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
