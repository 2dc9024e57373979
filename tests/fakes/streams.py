"""Both ends of a stream in memory, and streams of records about visits to the shop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from lightmodel.config import Config, load
from lightmodel.errors import SourceUnavailable
from lightmodel.predictions.log import PredictionLog
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.streams.base import Message, Record, StreamOutput
from lightmodel.streams.checkpoints import Checkpoints
from lightmodel.streams.processing import BatchProcessor
from tests.fakes.project import Project

GOOD: dict[str, Any] = {"visit_id": "v1", "age": 40, "spent": 20.5, "where": "web"}


@dataclass
class MemoryInput:
    """A stream of records in memory; each of its `outages` makes one `read` fail."""

    records: list[Record]
    outages: int = 0
    positions: dict[str, str] = field(default_factory=dict)
    on_end: Callable[[], None] = lambda: None

    def seek(self, positions: Mapping[str, str]) -> None:
        self.positions = dict(positions)

    def read(self, limit: int) -> list[Record]:
        if self.outages:
            self.outages -= 1
            raise SourceUnavailable("the stream does not answer")
        found = self._waiting()[:limit]
        self.positions |= {record.shard: record.position for record in found}
        if not found:
            self.on_end()
        return found

    def _waiting(self) -> list[Record]:
        return [
            record
            for record in self.records
            if int(record.position) > int(self.positions.get(record.shard, "-1"))
        ]

    @property
    def is_at_end(self) -> bool:
        return not self._waiting()

    def close(self) -> None:
        pass


@dataclass
class MemoryOutput:
    """A stream of messages in memory, which refuses the places that `refusals` lists, call by call."""

    refusals: list[Sequence[int]] = field(default_factory=list)
    largest: int = 1 << 20
    messages: list[Message] = field(default_factory=list)

    def write(self, messages: Sequence[Message]) -> Sequence[int]:
        refused = self.refusals.pop(0) if self.refusals else ()
        self.messages += [one for at, one in enumerate(messages) if at not in refused]
        return refused

    def close(self) -> None:
        pass

    def contents(self) -> list[dict[str, Any]]:
        return [orjson.loads(message.data) for message in self.messages]


def records_of(*contents: object, shard: str = "0") -> list[Record]:
    """Return records with these contents, bytes as they are and others as JSON."""
    return [
        Record(one if isinstance(one, bytes) else orjson.dumps(one), shard, str(at), f"key{at % 3}")
        for at, one in enumerate(contents)
    ]


def visit(number: int) -> dict[str, Any]:
    """Return a visit to the shop."""
    return {**GOOD, "visit_id": f"n{number}", "age": 18 + number % 60}


def config_of(project: Project, *sets: str) -> Config:
    """Return the configuration of a project with an approved model."""
    folder = project.folder
    places = (f"store.root={folder}", f"store.work={folder / 'work'}", "log.sink=none")
    return load(folder / "config.toml", [*places, *sets], {}).config


def processor_of(
    config: Config,
    output: StreamOutput | None,
    dead_letter: StreamOutput | None = None,
    log: PredictionLog | None = None,
) -> BatchProcessor:
    """Return a processor for the newest approved model, which remembers in memory."""
    models = ModelManager(ModelStoreView(config), 1.0, lambda _: None)
    checkpoints = Checkpoints(None, config.streams.dedupe_window)
    return BatchProcessor(config, models, output, dead_letter, checkpoints, log)


def again(records: Sequence[Record], start: int) -> list[Record]:
    """Return the same contents as other records, at later positions."""
    return [replace(record, position=str(start + at)) for at, record in enumerate(records)]
