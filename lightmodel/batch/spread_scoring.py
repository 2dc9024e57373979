"""Score pieces by the workers of a cluster, each of which gets the model once."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightmodel.batch.piece_scorer import OnError, PieceScorer, ScoredPiece
from lightmodel.batch.pieces import FilePart, FilePiece
from lightmodel.cluster.client import Cluster
from lightmodel.config import Config, ServeSection, StoreSection
from lightmodel.config.environment import without_secrets
from lightmodel.store.sent_versions import SentVersion
from lightmodel.store.versions import models_of

Submit = Callable[[FilePart], Future[ScoredPiece]]


@dataclass(frozen=True)
class _Sent:
    """A scorer that takes its model along; a worker unpickles a scorer that has loaded the model."""

    scorer: PieceScorer

    def __reduce__(self) -> tuple[Callable[..., PieceScorer], tuple[Any, ...]]:
        one = self.scorer
        version = SentVersion.of(models_of(one.config).get(one.version))
        return _scorer_of, (version, without_secrets(one.config.serve), one.output, one.on_error)


def _scorer_of(
    version: SentVersion, serve: ServeSection, output: str, on_error: OnError
) -> PieceScorer:
    """Return the scorer on a worker, which knows nothing of the client's folders."""
    with tempfile.TemporaryDirectory(prefix="light-model-") as folder:
        store = StoreSection(root=Path(folder), work=Path(folder))
        config = Config(serve=serve, store=store)
        version.write(models_of(config))
        scorer = PieceScorer(config, version.name, output, on_error)
        scorer.load()
    return scorer


@contextmanager
def spread_pieces(
    scorer: PieceScorer, has_ids: bool | None, cluster: Cluster, ahead: int
) -> Iterator[Submit]:
    """Yield a function that lets a worker score a piece.

    A file that can only be read whole is read and scored here.

    Args:
        scorer: of this process.
        has_ids: whether the rows of the pieces before have ids.
        cluster: whose workers score.
        ahead: number of pieces that are under way together.
    """
    shared, stop = cluster.share(_Sent(scorer)), threading.Event()
    pool = ThreadPoolExecutor(ahead, thread_name_prefix="piece")

    def score(part: FilePart) -> ScoredPiece:
        if isinstance(part.piece, FilePiece):
            return scorer(part, has_ids)
        return cluster.call(_score, part, has_ids, shared=shared, stop=stop)

    try:
        yield lambda part: pool.submit(score, part)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _score(scorer: PieceScorer, part: FilePart, has_ids: bool | None) -> ScoredPiece:
    """Score a piece, on a worker."""
    return scorer(part, has_ids)
