"""Read the prediction log's labelled rows, as further training rows (data.feedback)."""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from lightmodel.config import Config
from lightmodel.errors import ConfigError
from lightmodel.predictions.factory import open_sink

if TYPE_CHECKING:  # pandas and scipy take seconds to import, often for nothing
    from lightmodel.training.preprocess import PreprocessingResult

logger = logging.getLogger(__name__)

MODULE = "lightmodel.training.feedback"
_Row = tuple[str, str, str]


def feedback_sha256(config: Config) -> str:
    """Return a hash of the labelled rows of the prediction log; "" without data.feedback.

    Raises:
        ConfigError: training rows have weights, which logged ones have not.
        LightModelError: the log is off, or cannot be used (see `Sink`).
    """
    if not config.data.feedback:
        return ""
    if weight := config.train.weight:
        raise ConfigError(
            f"data.feedback cannot be used with train.weight = {weight!r}: the prediction log does not "
            "hold that column, so that labelled rows have no weight",
            hint="set data.feedback to false, or no train.weight",
        )
    digest = hashlib.sha256()
    with closing(open_sink(config)) as sink:
        for _ in _hashed(sink.feedback(), digest):
            pass
    return digest.hexdigest()


def join_feedback(
    config: Config, result: "PreprocessingResult"
) -> tuple["PreprocessingResult", str, int]:
    """Return a split with the log's labelled rows among its training rows, their hash, and their number.

    Raises:
        DataError, ConfigError: the table or its split does not allow it.
        LightModelError: the log is off, or cannot be used (see `Sink`).
    """
    from lightmodel.training.feedback import add_feedback, read_logged

    digest = hashlib.sha256()
    with closing(open_sink(config)) as sink:
        logged = read_logged(_hashed(sink.feedback(), digest), result.contract)
    result, counts = add_feedback(result, logged, config.split)
    logger.info("%s", counts)
    return result, digest.hexdigest(), counts.used


def _hashed(rows: Iterable[_Row], digest: "hashlib._Hash") -> Iterator[_Row]:
    """Yield rows, and hash them on the way."""
    for row in rows:
        digest.update("\0".join((*row, "\n")).encode(errors="surrogatepass"))
        yield row
