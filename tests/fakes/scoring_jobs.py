"""Jobs that score files by a model of the shop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

import lightmodel.service
from lightmodel.batch.job import ScoreOptions, ScoreResult, score
from lightmodel.config import Config
from lightmodel.progress import Progress
from tests.fakes.progress import Watching


@dataclass
class Jobs:
    """Scores files in a folder, in small pieces."""

    config: Config
    folder: Path
    progress: Progress = field(default_factory=Watching)

    def options(self, source: str | Path, out: str = "out.csv", **more: Any) -> ScoreOptions:
        where = source if isinstance(source, str) else str(self.folder / source)
        place = out if "://" in out else str(self.folder / out)
        made = ScoreOptions(where, place, processes=1, piece_bytes=4_000, workers_after_s=0.0)
        return replace(made, **more)

    def __call__(self, source: str | Path, out: str = "out.csv", **more: Any) -> ScoreResult:
        return score(self.config, self.options(source, out, **more), self.progress)

    def out(self, name: str = "out.csv") -> bytes:
        return (self.folder / name).read_bytes()

    def served(self, rows: bytes, accept: str, kind: str = "") -> bytes:
        """Return what the service answers to POST /predict with these rows."""
        client = lightmodel.service.create_app(self.config).test_client()
        headers = {"Accept": accept, **({"Content-Type": kind} if kind else {})}
        answer = client.post("/predict", data=rows, headers=headers)
        assert answer.status_code == 200, answer.text
        body: bytes = answer.data
        return body


def as_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as JSON Lines."""
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)
