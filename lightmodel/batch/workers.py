"""Score pieces in several processes, and yield what became of them in the order of the input."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from lightmodel.batch.piece_scorer import PieceScorer, ScoredPiece
from lightmodel.batch.pieces import FilePart
from lightmodel.errors import NotPossible
from lightmodel.worker_process import prepare_worker

_AHEAD = 2  # pieces for each process that are scored or wait: more would only take memory
_scorers: list[PieceScorer] = []  # of a worker: the only one


def score_in_order(
    scorer: PieceScorer, pieces: Iterable[FilePart], has_ids: bool | None, processes: int
) -> Iterator[ScoredPiece]:
    """Score pieces, and yield each result in the order of the pieces.

    Workers are spawned (LightGBM hangs after a fork). With one process none is started.

    Raises:
        NotPossible: a worker died.
        LightModelError: a piece cannot be scored; see `PieceScorer`.
    """
    pieces = iter(pieces)
    for piece in pieces:
        scored = scorer(piece, has_ids)
        has_ids = scored.has_ids
        yield scored
        if processes > 1 and has_ids is not None:  # the others need to know it
            break
    yield from _in_workers(scorer, pieces, has_ids, processes)


def _in_workers(
    scorer: PieceScorer, pieces: Iterator[FilePart], has_ids: bool | None, processes: int
) -> Iterator[ScoredPiece]:
    pool = ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), _initialize, (scorer,)
    )
    waiting: deque[Future[ScoredPiece]] = deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(_score, piece, has_ids))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise NotPossible(
            "a process that scored died, perhaps because the memory was full",
            hint="the same command goes on from there; --processes 1 takes the least memory",
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _initialize(scorer: PieceScorer) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the parent ends its workers
    prepare_worker(threads=1)
    _scorers.append(scorer)


def _score(piece: FilePart, has_ids: bool | None) -> ScoredPiece:
    return _scorers[-1](piece, has_ids)
