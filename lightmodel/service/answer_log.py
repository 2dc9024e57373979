"""What happens to the rows of an answered request: they are logged, and offered to a challenger."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lightmodel.config import Config
from lightmodel.predictions.base import AnsweredRows
from lightmodel.predictions.log import PredictionLog
from lightmodel.service.request_scorer import RequestScorer
from lightmodel.service.shadow import MOST_BYTES, Shadow, ShadowRequest
from lightmodel.tables.file_forms import Form


class KeptBody:
    """Passes the chunks of a body on, and keeps a short one for a challenger."""

    def __init__(self, form: Form | None = None) -> None:
        self.form = form
        self.charset = ""
        self.content = b""

    def keep(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the chunks; of a body of more than MOST_BYTES, nothing is kept."""
        parts, size = list[bytes](), 0
        for chunk in chunks:
            size += len(chunk)
            if size <= MOST_BYTES:
                parts.append(chunk)
            else:
                parts.clear()
            yield chunk
        self.content = b"".join(parts)


@dataclass(frozen=True)
class AnswerLog:
    """The prediction log of a worker, and its challenger.

    Attributes:
        log: of the answers; None if it is off.
        failures: of rows that a version could not score; None unless there may be a second version.
        shadow: scores answered requests by a challenger; None if it is off.
    """

    config: Config
    log: PredictionLog | None
    failures: PredictionLog | None = None
    shadow: Shadow | None = None

    @property
    def keeps_features(self) -> bool:
        """Whether the features of answered rows are logged."""
        return self.config.log.features and self.log is not None

    @property
    def wanted_rows(self) -> int:
        """The number of rows whose features a challenger takes."""
        return self.shadow.wanted_rows if self.shadow is not None else 0

    def body(self, form: Form | None) -> KeptBody | None:
        """Return what keeps the body of a request, if a challenger needs it."""
        return KeptBody(form) if self.shadow is not None and self.shadow.wants_body else None

    def record(self, scorer: RequestScorer, request_id: str, body: KeptBody | None = None) -> None:
        """Queue the rows of an answered request; `request_id` is unique in the log."""
        if self.log is None:
            return
        rows = scorer.rows_to_log(request_id)
        self.log.record(rows)
        if self.failures is not None and (failed := scorer.failed_rows(request_id)):
            self.failures.record(failed)
        if self.shadow is not None:
            self.shadow.offer(_request(rows, scorer, body))

    def close(self) -> None:
        """Write what waits."""
        if self.shadow is not None:
            self.shadow.close()
        for log in (self.failures, self.log):
            if log is not None:
                log.close()


def _request(rows: AnsweredRows, scorer: RequestScorer, body: KeptBody | None) -> ShadowRequest:
    served = scorer.model.version
    if body is None:
        return ShadowRequest(rows, served, scorer.features)
    skips_blank = scorer.writer.skips_blank
    return ShadowRequest(rows, served, (), body.content, body.form, body.charset, skips_blank)
