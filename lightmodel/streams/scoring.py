"""Score records of a stream, each by itself: a record gets the same answer in any batch."""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightmodel.contract.cells import Matrix
from lightmodel.errors import ContractViolation, DataError
from lightmodel.scoring.predictor import Answers, LoadedModel
from lightmodel.streams.base import Record
from lightmodel.tables.blocks import Block, ValidationReport
from lightmodel.tables.json_forms import extract_records, refuse_wide_records
from lightmodel.tables.json_text import Load, load_exactly, load_json, parse_json, parse_json_lines


@dataclass(frozen=True)
class Place:
    """Where a row comes from.

    Attributes:
        at: place of the record in its batch.
        record: the record.
        row: number of the row in the record, from 1; 0 if it holds one row.
    """

    at: int
    record: Record
    row: int = 0

    @property
    def name(self) -> str:
        """The name of the row, unique in its stream."""
        return f"{self.record.name}#{self.row}" if self.row else self.record.name


@dataclass(frozen=True)
class Answer:
    """The answer to one row: its id, prediction and probability, as POST /predict has them."""

    place: Place
    row: dict[str, Any]
    id: object = None


@dataclass(frozen=True)
class Rejected:
    """A row, or a whole record, that cannot be scored, and why."""

    place: Place
    error: DataError


@dataclass
class Scored:
    """The outcome of a batch, in the order of its records.

    Attributes:
        blocks: answers of the rows that were scored together, with their features; for the prediction log.
        findings: counted warnings, as for a request.
    """

    version: str
    answers: list[Answer] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    blocks: list[tuple[Answers, Matrix]] = field(default_factory=list)
    findings: ValidationReport = field(default_factory=ValidationReport)


@dataclass(frozen=True)
class _Row:
    place: Place
    cells: dict[str, Any]


def score_records(model: LoadedModel, records: Sequence[Record]) -> Scored:
    """Score the rows of all records; what cannot be scored is returned with the reason.

    Rows are scored together with those that have the same columns: a column that a record lacks is never
    taken for a missing value because another record has it.
    """
    scored = Scored(model.version)
    groups: dict[tuple[str, ...], list[_Row]] = {}
    for at, record in enumerate(records):
        for row in _rows(model, Place(at, record), scored):
            groups.setdefault(tuple(row.cells), []).append(row)
    for rows in groups.values():
        _score(model, rows, scored)
    scored.answers.sort(key=lambda answer: (answer.place.at, answer.place.row))
    scored.rejected.sort(key=lambda one: (one.place.at, one.place.row))
    return scored


def _rows(model: LoadedModel, place: Place, scored: Scored) -> Iterator[_Row]:
    """Yield the rows of one record; what is not JSON, or holds no row, is rejected."""
    text = _text(place.record)
    if b"\n" in text and not _is_json(text):
        yield from _lines(text, place, scored)
        return
    try:
        cells = _extracted(model, text, load_json)
        refuse_wide_records(cells, model.body_reader.limits.columns)
    except DataError as error:
        scored.rejected.append(Rejected(place, error))
        return
    for number, one in enumerate(cells, start=1):
        yield _Row(Place(place.at, place.record, number if len(cells) > 1 else 0), one)


def _text(record: Record) -> bytes:
    return record.data.removeprefix(codecs.BOM_UTF8).strip()


def _is_json(text: bytes) -> bool:
    try:
        parse_json(text)
    except DataError:
        return False
    return True


def _extracted(model: LoadedModel, text: bytes, load: Load) -> list[dict[str, Any]]:
    rows = extract_records(parse_json(text, load), model.contract.feature_names)
    return [dict(row) for row in rows]


def _lines(text: bytes, place: Place, scored: Scored) -> Iterator[_Row]:
    """Yield the rows of JSON Lines; a line that is no JSON object is rejected alone."""
    for number, line in enumerate(text.split(b"\n"), start=1):
        if not line.strip():
            continue
        where = Place(place.at, place.record, number)
        try:
            (cells,) = parse_json_lines(line)
        except DataError:
            error = DataError(f"line {number} of the record is not a JSON object")
            scored.rejected.append(Rejected(where, error))
        else:
            yield _Row(where, dict(cells))


def _exactly(model: LoadedModel, row: _Row) -> dict[str, Any]:
    """Return the cells of a row with integers of any length."""
    text, number = _text(row.place.record), row.place.row
    if number and not _is_json(text):
        cells: dict[str, Any] = load_exactly(text.split(b"\n")[number - 1])
        return cells
    return _extracted(model, text, load_exactly)[max(number, 1) - 1]


def _score(model: LoadedModel, rows: Sequence[_Row], scored: Scored) -> None:
    """Score rows with the same columns, and reject those that break the contract."""
    try:
        block = model.full_reader.json_blocks.block(
            [row.cells for row in rows], exact=lambda: (_exactly(model, row) for row in rows)
        )
    except ContractViolation as error:  # of the columns, which are the same for all
        scored.rejected.extend(Rejected(row.place, error) for row in rows)
    except DataError as error:
        _separate(model, rows, scored, error)
    else:
        if block.violations:
            violation = ContractViolation(block.violations, what="the record")
            _separate(model, rows, scored, violation)
        else:
            _answer(model, rows, block, scored)


def _separate(model: LoadedModel, rows: Sequence[_Row], scored: Scored, error: DataError) -> None:
    """Reject a row that is alone; of several, score the bad ones one by one and the others together."""
    if len(rows) == 1:
        scored.rejected.append(Rejected(rows[0].place, error))
        return
    bad = _bad_rows(error)
    if bad:
        others = [row for at, row in enumerate(rows, start=1) if at not in bad]
        parts = [*([rows[at - 1]] for at in sorted(bad)), *([others] if others else [])]
    else:
        parts = [[*rows[: len(rows) // 2]], [*rows[len(rows) // 2 :]]]
    for part in parts:
        _score(model, part, scored)


def _bad_rows(error: DataError) -> set[int]:
    """Return the numbers of all bad rows, if the error names all of them."""
    if not isinstance(error, ContractViolation):
        return set()
    if any(not one.rows or len(one.rows) < one.total for one in error.violations):
        return set()
    return {row for one in error.violations for row in one.rows}


def _answer(model: LoadedModel, rows: Sequence[_Row], block: Block, scored: Scored) -> None:
    answers = model.predictor.answer(block)
    scored.findings.add(block)
    scored.blocks.append((answers, block.features))
    ids: Iterable[object] = [None] * len(rows) if answers.ids is None else answers.ids
    scored.answers.extend(
        Answer(row.place, answered, id_)
        for row, answered, id_ in zip(rows, answers.rows(), ids, strict=True)
    )
