"""Score pieces in several processes, and yield what became of them in the order of the input."""

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from lightmodel.batch.piece_scorer import PieceScorer, ScoredPiece
from lightmodel.batch.pieces import FilePart
from lightmodel.batch.spread_scoring import Submit, spread_pieces
from lightmodel.cluster.client import Cluster
from lightmodel.errors import NotPossible
from lightmodel.worker_process import prepare_worker

_AHEAD = 2  # pieces for each process that are scored or wait: more would only take memory
_scorers: list[PieceScorer] = []  # of a worker: the only one


@dataclass(frozen=True)
class Workers:
    """How many processes score, and when they are started.

    Attributes:
        processes: number of them; with 1, this one scores alone.
        after_s: seconds for which this process scores first: a short job is done before others have
            imported what they need.
        cluster: whose workers score, instead of processes of this machine.
    """

    processes: int
    after_s: float
    cluster: Cluster | None = None


def score_in_order(
    scorer: PieceScorer, pieces: Iterable[FilePart], has_ids: bool | None, workers: Workers
) -> Iterator[ScoredPiece]:
    """Score pieces, and yield each result in the order of the pieces.

    Workers are spawned (LightGBM hangs after a fork).

    Raises:
        NotPossible: a worker died.
        SourceUnavailable: the cluster is gone.
        LightModelError: a piece cannot be scored; see `PieceScorer`.
    """
    pieces, started = iter(pieces), time.monotonic()
    for piece in pieces:
        scored = scorer(piece, has_ids)
        has_ids = scored.has_ids
        yield scored
        is_long = time.monotonic() - started >= workers.after_s
        has_others = workers.processes > 1 or workers.cluster is not None
        if has_others and is_long and has_ids is not None:  # the others need to know it
            break
    if workers.cluster is None:
        yield from _in_workers(scorer, pieces, has_ids, workers.processes)
        return
    ahead = _AHEAD * workers.cluster.threads
    with spread_pieces(scorer, has_ids, workers.cluster, ahead) as submit:
        yield from _in_order(submit, pieces, ahead)


def _in_order(submit: Submit, pieces: Iterator[FilePart], ahead: int) -> Iterator[ScoredPiece]:
    """Submit pieces, `ahead` of them at a time, and yield the results in their order."""
    waiting: deque[Future[ScoredPiece]] = deque()
    for piece in pieces:
        waiting.append(submit(piece))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _in_workers(
    scorer: PieceScorer, pieces: Iterator[FilePart], has_ids: bool | None, processes: int
) -> Iterator[ScoredPiece]:
    pool = ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), _initialize, (scorer,)
    )
    try:
        yield from _in_order(
            lambda part: pool.submit(_score, part, has_ids), pieces, _AHEAD * processes
        )
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
