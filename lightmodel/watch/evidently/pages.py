"""Write Evidently's pages: tables to a folder, its Python run on them, and the pages where they belong."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pyarrow import parquet

from lightmodel.config import Config, WatchSection
from lightmodel.config.environment import child_environment
from lightmodel.contract.columns import Contract
from lightmodel.errors import AlreadyRunning, ConfigError, NotPossible
from lightmodel.files import file_lock, translate_os_errors, write_atomic
from lightmodel.predictions.base import Sink
from lightmodel.predictions.factory import log_folder, open_sink
from lightmodel.store.versions import models_of
from lightmodel.watch.drift import Measured
from lightmodel.watch.evidently.tables import (
    ROWS,
    DriftTables,
    LabelledTable,
    drift_tables,
    labelled_table,
)
from lightmodel.watch.labelled import LabelledRows, labelled_rows, recent_rows
from lightmodel.watch.window import read_rows

_SCRIPT = Path(__file__).with_name("script.py")
_NO_TELEMETRY = {"DO_NOT_TRACK": "1", "EVIDENTLY_DISABLE_TELEMETRY": "1"}
_MAKE = (
    "`make evidently`, or anywhere: `python3 -m venv .venv-evidently && "
    ".venv-evidently/bin/python -m pip install -r requirements/evidently.txt`"
)


@dataclass(frozen=True)
class EvidentlyPages:
    """The pages that were written, and why others were not.

    Attributes:
        drift: the page of drift; None if there are too few rows.
        effects: Evidently's effect, method and verdict by column.
        labelled: the page of the labelled answers; None if there are too few.
        metrics: Evidently's metrics of these, by name.
        notes: sentences on what could not be written.
    """

    drift: Path | None
    effects: Mapping[str, Mapping[str, Any]]
    labelled: Path | None
    metrics: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def drifted(self) -> tuple[str, ...]:
        """The columns that drifted by Evidently's measures, the farthest first."""
        names = [name for name, one in self.effects.items() if one["drifted"]]
        return tuple(sorted(names, key=lambda name: -self.effects[name]["effect"]))


def check_python(config: Config) -> None:
    """Raise ConfigError if there is no Python of Evidently's environment."""
    python = config.watch.evidently_python
    if not python.is_file():
        raise ConfigError(
            f"Evidently has an environment of its own, and watch.evidently_python, {python}, is not there",
            hint=_MAKE,
        )


def write_pages(config: Config, measured: Measured, page: Path) -> EvidentlyPages:
    """Write Evidently's pages of what was measured, the one of labelled answers beside the other.

    Raises:
        ConfigError: the environment of Evidently is missing or another one, or a folder is not writable.
        NotPossible: Evidently fails, or does not finish in time.
        AlreadyRunning: another process is writing such pages of this log.
        LightModelError: the log cannot be used (see `Sink`), or there is no room left.
    """
    check_python(config)
    log = log_folder(config)
    try:
        with file_lock(log / "evidently.lock", timeout_s=0):
            return _write(config, measured, page, log / "evidently")
    except TimeoutError as error:
        raise AlreadyRunning(
            "Evidently's pages are being written by another process",
            hint="wait until it has finished",
        ) from error


def _write(config: Config, measured: Measured, page: Path, folder: Path) -> EvidentlyPages:
    """Write the pages by way of a folder, which an earlier process may have left behind."""
    shutil.rmtree(folder, ignore_errors=True)
    drift, labelled, notes = _tables(config, measured)
    beside = page.with_name(f"{page.stem}-labelled{page.suffix}")
    try:
        with translate_os_errors(folder):
            folder.mkdir(mode=0o700)
        result = make_pages(config.watch, folder, drift, labelled)
        for name, target in (("drift", page), ("labelled", beside)):
            if name in result:
                write_atomic(target, (folder / f"{name}.html").read_bytes())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return EvidentlyPages(
        page if "drift" in result else None,
        result.get("drift", {}),
        beside if "labelled" in result else None,
        result.get("labelled", {}),
        notes,
    )


def _tables(
    config: Config, measured: Measured
) -> tuple[DriftTables | None, LabelledTable | None, tuple[str, ...]]:
    """Return the tables of which there are enough rows, and of what there are too few."""
    version = models_of(config).get(measured.report.version)
    contract = Contract.from_dict(version.manifest.contract or {})
    notes = []
    with closing(open_sink(config)) as sink:
        drift = _drift_tables(config.watch, measured, contract, sink)
        answers = labelled_rows(contract.task, sink.labelled(version.name))
    if drift is None:
        notes.append("no page of Evidently on drift: there are too few rows")
    rows = recent_rows(answers, config.watch)
    lacking = _lacking(rows, config.watch)
    if lacking:
        notes.append(f"no page of Evidently on labelled rows: {lacking}")
    return drift, None if lacking else labelled_table(rows, contract), tuple(notes)


def _drift_tables(
    section: WatchSection, measured: Measured, contract: Contract, sink: Sink
) -> DriftTables | None:
    report = measured.report
    if report.verdict == "none":
        return None
    since = datetime.fromisoformat(report.created) - timedelta(days=section.window_days)
    rows = read_rows(sink, report.version, contract, since, min(ROWS, section.max_rows))
    with_features = report.with_features >= section.min_rows
    return drift_tables(measured.reference, rows, contract, with_features=with_features)


def _lacking(rows: LabelledRows, section: WatchSection) -> str:
    """Return why labelled rows are not enough for a page; "" if they are."""
    if len(rows) < section.min_labels:
        return f"{len(rows):,} labels have arrived, and watch.min_labels is {section.min_labels:,}"
    if rows.task.kind.has_classes and len(set(rows.target.tolist())) < 2:
        return "all labels are the same"
    return ""


def make_pages(
    section: WatchSection, folder: Path, drift: DriftTables | None, labelled: LabelledTable | None
) -> dict[str, Any]:
    """Write tables and Evidently's pages of them to an empty folder, and return what these say.

    The result has "drift", effect, method and verdict by column, and "labelled", metrics by name, of the
    tables that are given.

    Raises:
        ConfigError: the environment of Evidently is missing or another one.
        NotPossible: Evidently fails, or does not finish in time.
        StorageFull: there is no room in the folder.
    """
    job: dict[str, Any] = {"max_drift": section.max_drift}
    with translate_os_errors(folder):
        if drift:
            parquet.write_table(drift.reference, folder / "reference.parquet")
            parquet.write_table(drift.current, folder / "current.parquet")
        if labelled:
            parquet.write_table(labelled.table, folder / "labelled.parquet")
            job["labelled"] = labelled.described()
        (folder / "job.json").write_text(json.dumps(job), "utf-8")
    return _run(section, folder) if drift or labelled else {}


def _run(section: WatchSection, folder: Path) -> dict[str, Any]:
    python, timeout_s = section.evidently_python, section.evidently_timeout_s
    command = [str(python.absolute()), "-I", str(_SCRIPT), str(folder.absolute())]
    try:
        with subprocess.Popen(  # noqa: S603 — our own script
            command,
            stdin=subprocess.PIPE,  # the script ends when this process does
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # warnings, which may hold cells of the table
            env={**child_environment({}), **_NO_TELEMETRY},
        ) as process:
            try:
                code = process.wait(timeout_s)
            finally:
                process.kill()
    except subprocess.TimeoutExpired as error:
        raise NotPossible(
            f"Evidently did not finish within {timeout_s:g} s",
            hint="raise watch.evidently_timeout_s",
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{python} cannot be run: {error.strerror or error}", hint=_MAKE
        ) from error
    return _checked(folder / "result.json", code)


def _checked(file: Path, code: int) -> dict[str, Any]:
    """Return the result of the script, or raise what kept it from its pages."""
    try:
        result: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise NotPossible(
            f"Evidently's process ended with code {code} before its pages were written",
            hint="check the memory and the disk of this machine",
        ) from error
    if "missing" in result:
        raise ConfigError(
            f"Evidently cannot be imported: {result['missing']}",
            hint=f"make the environment again: {_MAKE}",
        )
    if "failed" in result:
        raise NotPossible(
            f"Evidently failed: {result['failed']}",
            hint="drift was measured and stored all the same; without --evidently there is no error",
        )
    return result
