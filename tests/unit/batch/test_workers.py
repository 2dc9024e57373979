"""Pieces are scored in several processes, in order, and a process that dies is an error in words."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lightmodel.batch.piece_scorer import PieceScorer
from lightmodel.batch.pieces import FilePart, LinesPiece
from lightmodel.batch.workers import Workers, score_in_order
from lightmodel.errors import DataError, NotPossible
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import models_of
from lightmodel.tables.blocks import Block
from lightmodel.tables.bodies import BodyReader
from tests.fakes.scoring_jobs import Jobs, as_lines
from tests.fakes.streams import visit

SEVERAL = Workers(processes=2, after_s=0.0)


@dataclass(frozen=True)
class Deadly:
    """A piece that ends its process, as the system does when there is no memory left."""

    def blocks(self, reader: BodyReader) -> Iterator[Block]:
        del reader
        os._exit(9)


def parts(*numbers: int) -> list[FilePart]:
    return [
        FilePart(0, "rows.jsonl", LinesPiece(as_lines([visit(number)]), 0, begins=True))
        for number in numbers
    ]


def scorer_of(jobs: Jobs) -> PieceScorer:
    version = newest_approved(models_of(jobs.config))
    return PieceScorer(jobs.config, version.name, "out.jsonl", "stop")


def test_results_come_in_order(jobs: Jobs) -> None:
    results = score_in_order(scorer_of(jobs), parts(*range(20)), None, SEVERAL)
    ids = [scored.encoded.split(b'"')[3].decode() for scored in results]
    assert ids == [f"n{number}" for number in range(20)]


def test_pieces_are_read_only_as_they_are_needed(jobs: Jobs) -> None:
    left = iter(parts(*range(1000)))
    results = score_in_order(scorer_of(jobs), left, None, SEVERAL)
    for _ in range(5):
        next(results)
    assert len(list(left)) > 980


def test_a_process_that_dies_is_reported(jobs: Jobs) -> None:
    pieces = [*parts(0, 1), FilePart(0, "rows.jsonl", Deadly()), *parts(2)]
    with pytest.raises(NotPossible, match="a process that scored died") as died:
        list(score_in_order(scorer_of(jobs), pieces, None, SEVERAL))
    assert "goes on" in died.value.hint


def test_an_error_names_its_file_whatever_process_it_comes_from(jobs: Jobs) -> None:
    broken = FilePart(0, "more.jsonl", LinesPiece(b"{age\n", 7, begins=False))
    with pytest.raises(DataError, match=r"more\.jsonl: .*line 8"):
        list(score_in_order(scorer_of(jobs), [*parts(0), broken], None, SEVERAL))
