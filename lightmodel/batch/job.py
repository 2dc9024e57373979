"""Score all rows of an input, and write the answers into a file that appears when it is complete."""

import hashlib
import logging
import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from lightmodel import __version__
from lightmodel.batch.answer_files import answer_format
from lightmodel.batch.inputs import InputFiles, open_input
from lightmodel.batch.outputs import Output, open_output
from lightmodel.batch.piece_scorer import OnError, PieceScorer, ScoredPiece, file_reader
from lightmodel.batch.pieces import Advance, FilePart, in_file, read_pieces
from lightmodel.batch.work_folder import WorkFolder, open_work
from lightmodel.batch.workers import Workers, score_in_order
from lightmodel.cluster.client import open_cluster
from lightmodel.config import Config
from lightmodel.config.threads import cores
from lightmodel.errors import ConfigError, ContractViolation, DataError, Violation
from lightmodel.progress import Progress, format_seconds
from lightmodel.scoring.model_store import ModelStoreView, open_version
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.store.verdict import read_verdict
from lightmodel.store.versions import models_of

logger = logging.getLogger(__name__)

PIECE_BYTES = 4 << 20
_SHOWN_COLUMNS = 5


@dataclass(frozen=True)
class ScoreOptions:
    """What to score, and how.

    Attributes:
        source: a file, a glob, a folder, or an address as of `data.source`.
        out: path or address of the answers; its ending decides on the format.
        version: of the model; "" stands for the one that is served.
        on_error: what to do about a row that breaks the contract.
        processes: number of them; 0 stands for one per core.
        piece_bytes: of the input that are scored together.
        save_s: seconds between two times at which the position is written down.
        workers_after_s: seconds of scoring after which other processes are started.
    """

    source: str
    out: str
    version: str = ""
    on_error: OnError = "stop"
    processes: int = 0
    piece_bytes: int = PIECE_BYTES
    save_s: float = 2.0
    workers_after_s: float = 1.5


@dataclass(frozen=True)
class ScoreResult:
    """What was done, in all runs of the job together, and how long the last one took.

    Attributes:
        answers: where they are.
        errors: where rows that break the contract are listed; "" if nowhere.
    """

    answers: str
    errors: str
    version: str
    rows: int
    scored: int
    bad: int
    noticed: dict[str, dict[str, int]]
    seconds: float
    rows_before: int = 0

    def sentences(self) -> list[str]:
        """Return the result in words."""
        speed = (self.rows - self.rows_before) / max(self.seconds, 1e-9)
        answered = f"{self.scored:,} of {self.rows:,} rows scored by {self.version}"
        lines = [f"{answered} in {format_seconds(self.seconds)} ({speed:,.0f} rows/s)"]
        if self.bad:
            lines.append(f"rows that break the contract, and have no answer: {self.bad:,}")
        if blank := self.rows - self.scored - self.bad:
            lines.append(f"rows without any value, which have no answer: {blank:,}")
        for kind, columns in self.noticed.items():
            shown = [f"{name} ({count:,})" for name, count in sorted(columns.items())]
            if shown:
                more = f" and {len(shown) - _SHOWN_COLUMNS} more" if shown[_SHOWN_COLUMNS:] else ""
                lines.append(f"{kind}: {', '.join(shown[:_SHOWN_COLUMNS])}{more}")
        return lines


def score(config: Config, options: ScoreOptions, progress: Progress) -> ScoreResult:
    """Score the input, or the rest of it if an earlier run of the same job was interrupted.

    Raises:
        ConfigError: the output cannot be written, or is a part of the input.
        ArtefactMissing, ArtefactCorrupt: there is no such model, or none that can be used.
        ContractViolation: rows break the contract, and that is to stop; or columns are absent.
        DataError, SourceUnavailable: the input cannot be read.
        AlreadyRunning: another process writes this output.
    """
    started = time.monotonic()
    answer_format(options.out)
    output = open_output(options.out, config)
    files = open_input(options.source, config, progress)
    _refuse_overwriting(files, options, output)
    output.check()
    model = _model(config, options.version)
    job = _job(config, options, files, model.version)
    with open_work(output.path, job) as work:
        before = work.position.rows
        run = _Run(config, options, files, model, work, output)
        if not work.position.is_complete:
            with _removed_if_useless(work):
                run.score(progress)
        run.publish()
        position = work.position
        work.remove()
    seconds = time.monotonic() - started
    noticed = position.noticed
    counts = position.rows, position.scored, position.bad
    errors = output.errors_name if position.bad and options.on_error == "file" else ""
    places = output.name, errors
    return ScoreResult(*places, model.version, *counts, noticed, seconds, before)


@contextmanager
def _removed_if_useless(work: WorkFolder) -> Iterator[None]:
    """Remove what was scored if the input is to blame: as it is, going on would fail again."""
    try:
        yield
    except DataError:
        work.remove()
        raise


def _model(config: Config, version: str) -> LoadedModel:
    """Return the model that is served, or this version of it."""
    view = ModelStoreView(config)
    if not version:
        return view.newest(None)
    store = models_of(config)
    found = store.get(version)
    store.verify(found)
    verdict = read_verdict(found, store.signer)
    if verdict is None or not verdict.passed:
        logger.warning("%s is not approved: its answers are as good as nobody has checked", version)
    return open_version(found, config)


def _refuse_overwriting(files: InputFiles, options: ScoreOptions, output: Output) -> None:
    """Refuse an output that is a part of the input."""
    if output.is_in(options.source, files):
        raise ConfigError(
            f"{output.name}, or {output.errors_name}, is a part of the input, and would be replaced",
            hint="name an output in another folder, or move the input away",
        )


def _job(config: Config, options: ScoreOptions, files: InputFiles, version: str) -> dict[str, Any]:
    """Return everything that the answers depend on."""
    settings = (config.data.model_dump_json(), config.serve.model_dump_json(), options.piece_bytes)
    return {
        "input": files.fingerprint,
        "model version": version,
        "treatment of errors": options.on_error,
        "setting": hashlib.sha256(repr(settings).encode()).hexdigest(),
        "light-model": __version__,
    }


@dataclass
class _Run:
    """One run of a job."""

    config: Config
    options: ScoreOptions
    files: InputFiles
    model: LoadedModel
    work: WorkFolder
    output: Output
    _in_work: deque[FilePart] = field(default_factory=deque)

    def score(self, progress: Progress) -> None:
        """Score what is left of the input."""
        position = self.work.position
        saved = -math.inf  # the first piece shows whether the position can be saved
        scorer = PieceScorer(
            self.config, self.model.version, self.options.out, self.options.on_error
        )
        with progress.task("scoring", self.files.size, "bytes") as advance:
            parts = self._parts(advance, position.pieces)
            results = score_in_order(scorer, parts, position.has_ids, self._workers())
            for scored in self._located(results):
                self._add(scorer, self._in_work.popleft(), scored)
                if time.monotonic() - saved >= self.options.save_s:
                    self.work.save()
                    saved = time.monotonic()
        self._check_complete(scorer)
        position.is_complete = True
        self.work.save()

    def _workers(self) -> Workers:
        dask = self.config.dask
        cluster = open_cluster(dask) if dask.engine == "dask" else None
        return Workers(self.options.processes or cores(), self.options.workers_after_s, cluster)

    def publish(self) -> None:
        """Publish the complete files."""
        if self.options.on_error == "file":
            self.output.put_errors(self.work.errors_path if self.work.position.bad else None)
        self.output.put(answer_format(self.options.out).finish(self.work.answers_path))

    def _parts(self, advance: Advance, done: int) -> Iterator[FilePart]:
        """Yield the pieces of all files but the first `done`."""
        reader, number = file_reader(self.model), 0
        for at, path in enumerate(self.files.paths):
            with in_file(path.name):
                for piece in read_pieces(path, reader, self.options.piece_bytes, advance):
                    number += 1
                    if number > done:
                        part = FilePart(at, path.name, piece)
                        self._in_work.append(part)
                        yield part

    def _located(self, results: Iterator[ScoredPiece]) -> Iterator[ScoredPiece]:
        """Yield the results; violations get the numbers of their rows in the file."""
        try:
            yield from results
        except ContractViolation as error:
            start = self._rows_before(self._in_work[0].file) if self._in_work else 0
            violations = [one.shifted(start) for one in error.violations]
            hint = error.hint or "--on-error skip leaves such rows out, --on-error file lists them"
            raise ContractViolation(violations, what=error.what, hint=hint) from None

    def _rows_before(self, file: int) -> int:
        position = self.work.position
        return position.file_rows if position.file == file else 0

    def _add(self, scorer: PieceScorer, part: FilePart, scored: ScoredPiece) -> None:
        """Add what became of the next piece."""
        position, start = self.work.position, self._rows_before(part.file)
        if position.has_ids is None and scored.has_ids is not None:
            position.has_ids = scored.has_ids
            self.work.answers.write(scorer.header(has_ids=scored.has_ids))
        self.work.answers.write(scored.encoded)
        if self.options.on_error == "file":
            for row, violations in scored.bad:
                self.work.errors.write(_bad_row(part.name, start + row, violations))
        position.pieces += 1
        position.file, position.file_rows = part.file, start + scored.rows
        position.rows += scored.rows
        position.scored += scored.scored
        position.bad += len(scored.bad)
        for kind, columns in scored.noticed.items():
            counts = position.noticed.setdefault(kind, {})
            for name, count in columns.items():
                counts[name] = counts.get(name, 0) + count

    def _check_complete(self, scorer: PieceScorer) -> None:
        """Raise DataError where there is nothing to answer, or the input has changed."""
        position = self.work.position
        if not position.scored and not position.bad:
            raise DataError(
                f"no row of {self.files.name} has a value", hint="blank rows are left out"
            )
        if self.files.changed():
            raise DataError(
                f"{self.files.name} was changed while it was read", hint="run the command again"
            )
        if position.has_ids is None:  # all rows are bad
            self.work.answers.write(scorer.header(has_ids=True))


def _bad_row(file: str, row: int, violations: tuple[Violation, ...]) -> bytes:
    broken = [{"column": one.column, "rule": one.rule, "detail": one.detail} for one in violations]
    content = {"file": file, "row": row, "violations": broken}
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
