"""Score one piece of the input, in whatever process."""

import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from lightmodel.batch.answer_files import AnswerFormat, answer_format
from lightmodel.batch.bad_rows import separate
from lightmodel.batch.pieces import FilePart, Piece, in_file
from lightmodel.config import Config
from lightmodel.errors import ContractViolation, DataError, Violation
from lightmodel.scoring.model_store import open_version
from lightmodel.scoring.predictor import Answers, LoadedModel, label_names
from lightmodel.store.versions import models_of
from lightmodel.tables.blocks import Block, ValidationReport
from lightmodel.tables.bodies import BodyReader

OnError = Literal["stop", "skip", "file"]


@dataclass
class ScoredPiece:
    """What became of the rows of a piece.

    Attributes:
        encoded: the answers, in the format of the output.
        has_ids: whether the rows have ids; None if none was scored.
        rows: their number, blank and bad ones included.
        bad: (number from 1, violations) of each row that breaks the contract.
        noticed: for messages: kind → column → rows.
    """

    encoded: bytes = b""
    has_ids: bool | None = None
    rows: int = 0
    scored: int = 0
    bad: list[tuple[int, tuple[Violation, ...]]] = field(default_factory=list)
    noticed: dict[str, Counter[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class PieceScorer:
    """Scores pieces by one version; it is sent to other processes, each of which opens the version.

    Attributes:
        version: its name.
        output: name of the file for the answers, for its format.
    """

    config: Config
    version: str
    output: str
    on_error: OnError

    def __reduce__(self) -> tuple[type["PieceScorer"], tuple[Config, str, str, OnError]]:
        """Return the fields alone: no process gets the model of another one."""
        return PieceScorer, (self.config, self.version, self.output, self.on_error)

    def __call__(self, part: FilePart, has_ids: bool | None = None) -> ScoredPiece:
        """Score the rows of a piece; `has_ids` is whether those before have ids, None if unknown.

        Raises:
            ContractViolation: rows break the contract, and this is to stop; or columns are absent.
            DataError: the rows cannot be read, or have ids where those before have none.
        """
        with in_file(part.name):
            return self._score(part.piece, has_ids)

    def _score(self, piece: Piece, has_ids: bool | None) -> ScoredPiece:
        scored, report, answers = ScoredPiece(has_ids=has_ids), ValidationReport(), list[bytes]()
        for block in piece.blocks(self._reader):
            good = block if self.on_error == "stop" else _good(block, scored)
            scored.rows += len(block.features) + sum(map(len, block.blank))
            if good is not None:
                report.add(good)
                if len(good.features) and not report.violations:
                    answers.append(self._answer(good, scored))
        if report.violations:
            raise ContractViolation(report.violations, what="the piece")
        scored.encoded = b"".join(answers)
        scored.scored = report.scored
        scored.noticed = {
            "categories unknown to the model": report.unseen,
            "missing values": report.missing,
            "values out of range": report.out_of_range,
            "formulas without a value": report.lost,
        }
        return scored

    def load(self) -> None:
        """Open the version now, and not with the first piece."""
        _ = self._model

    def header(self, *, has_ids: bool) -> bytes:
        """Return what stands before all answers, for an output without any."""
        predictor = self._model.predictor
        labels = label_names(predictor.contract)
        scores = np.empty((0, len(labels)) if len(labels) > 2 else 0)
        id_name = predictor.contract.id.name if predictor.contract.id else None
        ids: list[Any] | None = [] if has_ids and id_name else None
        return self._format.header(Answers(ids, [], scores, None, None, id_name, labels))

    @cached_property
    def _model(self) -> LoadedModel:
        return open_version(models_of(self.config).get(self.version), self.config)

    @cached_property
    def _reader(self) -> BodyReader:
        return file_reader(self._model)

    @cached_property
    def _format(self) -> AnswerFormat:
        return answer_format(self.output)

    def _answer(self, block: Block, scored: ScoredPiece) -> bytes:
        answers = self._model.predictor.answer(block)
        if scored.has_ids is None:
            scored.has_ids = answers.ids is not None
        if answers.ids is None and scored.has_ids:
            answers = replace(answers, ids=[None] * len(answers.predictions))
        if answers.ids is not None and not scored.has_ids:
            raise DataError(
                f"it has the column {answers.id_name!r}, and the rows before have not",
                hint="add the column to all files, or score them apart",
            )
        return self._format.encode(answers)


def file_reader(model: LoadedModel) -> BodyReader:
    """Return the reader of requests without the limit of their size: of a file, little is held at once."""
    limits = replace(model.body_reader.limits, decompressed=sys.maxsize)
    return replace(model.body_reader, limits=limits)


def _good(block: Block, scored: ScoredPiece) -> Block | None:
    """Return the block of the rows that can be scored, and add the others to `scored`."""
    if not block.violations:
        return block
    separated = separate(block)
    scored.bad += [(scored.rows + at + 1, found) for at, found in sorted(separated.bad.items())]
    return separated.good
