"""Open the prediction log, or the database behind it, as the configuration says."""

import logging
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from lightmodel.config import Config, LogSection
from lightmodel.errors import AlreadyRunning, ConfigError, LightModelError, StorageFull
from lightmodel.files import file_lock, is_full
from lightmodel.predictions.base import Sink, utc_text
from lightmodel.predictions.log import Count, PredictionLog, ship
from lightmodel.predictions.postgres import PostgresSink
from lightmodel.predictions.prune import Pruned, prune
from lightmodel.predictions.shadows import PREDICTIONS, SHADOWS
from lightmodel.predictions.sqlite import FREE_SPACE, SqliteSink, check_sqlite

logger = logging.getLogger(__name__)

_FORMER = Path("var/log")  # the default of every store.root up to release 0.1.0


def open_log(config: Config, count: Count) -> PredictionLog | None:
    """Open the prediction log of this process; return None if it is off.

    If its folder cannot be used, this logs a warning and returns None: the service runs without.

    `count` is called with "spooled", "logged" or "dropped" and a number of rows.

    Raises:
        ConfigError: log.sink is "postgres", and its URL or its library is missing.
    """
    log = config.log
    if log.sink == "none" or log.rate == 0:
        return None
    server = _server(log)
    try:
        _check_folder(log_folder(config))
    except ConfigError as error:
        logger.warning("serving without a prediction log: %s; %s", error.message, error.hint)
        return None
    except StorageFull as error:  # there may be room later
        logger.warning("prediction log: %s; %s", error.message, error.hint)
    _name_former(config)
    if log.sink == "csv":
        logger.warning(
            'log.sink = "csv": rows are stored in %s; `python -m lightmodel export FILE` writes CSV',
            _sqlite_file(config),
        )
    limited = log.keep_days is not None or log.max_mb is not None
    pruning = partial(_prune_in_service, config) if limited else None
    return PredictionLog(_sqlite_file(config), log, count, server, pruning)


def open_shadow_log(config: Config, count: Count) -> PredictionLog:
    """Open the log of this process for scores that are no answers; call it after `open_log`.

    Its rows stand in a table of their own, in the same database and spool.

    Raises:
        ConfigError: as by `open_log`.
    """
    server = _server(config.log, SHADOWS)
    return PredictionLog(_sqlite_file(config), config.log, count, server, table=SHADOWS)


def open_sink(config: Config) -> Sink:
    """Open the database of the prediction log, after shipping the spooled rows to it.

    Raises:
        ConfigError: the log is off, or its folder cannot be used.
        StorageFull: there is no room in its folder.
        SourceUnavailable: the database is down.
    """
    log = config.log
    sink = _open(config)
    if log.sink == "postgres":
        for table in (PREDICTIONS, SHADOWS):
            with closing(_open(config, table)) as server:
                ship(_sqlite_file(config), server, lambda _name, _number: None, timeout_s=2.0)
    return sink


def _open(config: Config, table: str = PREDICTIONS) -> Sink:
    log = config.log
    if log.sink == "none":
        raise ConfigError(
            'there is no prediction log: log.sink is "none"', hint='set log.sink to "sqlite"'
        )
    server = _server(log, table)
    _check_folder(log_folder(config))
    _name_former(config)
    return server or SqliteSink(_sqlite_file(config), table=table)


def prune_log(
    config: Config, *, dry_run: bool = False, stopped: Callable[[], bool] = bool
) -> Pruned:
    """Delete what log.keep_days and log.max_mb exclude; one process at a time does so.

    Raises:
        ConfigError: neither is set, or see `open_sink`.
        AlreadyRunning: another process is at it.
        LightModelError: the database cannot be used (see `Sink`).
    """
    log = config.log
    if log.keep_days is None and log.max_mb is None:
        raise ConfigError(
            "neither log.keep_days nor log.max_mb is set, so every row is kept",
            hint="set one in config.toml, or for once: --set log.keep_days=90",
        )
    with closing(_open(config)) as sink:
        try:
            with file_lock(log_folder(config) / "prune.lock", timeout_s=0):
                done = prune(sink, log, datetime.now(UTC), dry_run=dry_run, stopped=stopped)
                if done.before and not dry_run:
                    _prune_shadows(config, done.before, stopped)
                return done
        except TimeoutError as error:
            raise AlreadyRunning(
                "the log is being pruned by another process", hint="wait until it has finished"
            ) from error


def _prune_shadows(config: Config, before: datetime, stopped: Callable[[], bool]) -> None:
    """Delete the scores beside answers from before a time, which are deleted."""
    with closing(_open(config, SHADOWS)) as sink:
        batches = sink.delete_rows(before=utc_text(before))
        while not stopped() and next(batches, None) is not None:
            pass


def _prune_in_service(config: Config, stopped: Callable[[], bool]) -> None:
    with suppress(AlreadyRunning):
        done = prune_log(config, stopped=stopped)
        if done.rows or done.labels:
            logger.info("prediction log: pruned %d rows, %d labels", done.rows, done.labels)


def spooled_bytes(config: Config) -> int:
    """Return the bytes in the spool, not yet shipped to the database; 0 if it cannot be read."""
    path = _sqlite_file(config)
    if config.log.sink != "postgres" or not path.exists():
        return 0
    with closing(SqliteSink(path)) as spool:
        try:
            return spool.used_bytes()
        except LightModelError:
            return 0


def _server(log: LogSection, table: str = PREDICTIONS) -> Sink | None:
    """Return the database that rows are shipped to; None if the SQLite file is the log itself."""
    if log.sink != "postgres":
        return None
    if log.url is None:
        raise ConfigError(
            'log.sink = "postgres" needs log.url',
            hint="set LIGHTMODEL__LOG__URL or LIGHTMODEL__LOG__URL_FILE",
        )
    return PostgresSink(log.url.get_secret_value(), table)


def _check_folder(folder: Path) -> None:
    """Create the folder; raise StorageFull or ConfigError if it, or SQLite in it, cannot be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        if is_full(error):
            raise StorageFull(
                "no room left in log.folder: the disk or its quota is full", hint=FREE_SPACE
            ) from error
        raise ConfigError(
            f"log.folder cannot be used: {error.strerror or error}",
            hint="check who owns it and that its disk is not mounted read-only, or set another log.folder",
        ) from error
    check_sqlite(folder)


def log_folder(config: Config) -> Path:
    """Return the folder of the log; by default each store.root has its own."""
    root = config.store.root
    if isinstance(config.log.folder, Path):
        return config.log.folder
    return _FORMER if root.resolve() == Path.cwd() else root / "log"


def _sqlite_file(config: Config) -> Path:
    name = "spool.sqlite" if config.log.sink == "postgres" else "predictions.sqlite"
    return log_folder(config) / name


def _name_former(config: Config) -> None:
    """Warn, before a log begins in a folder of its own, that the former default folder holds one."""
    file = _sqlite_file(config)
    former = _FORMER / file.name
    if config.log.folder == "auto" and former.exists() and not file.exists():
        logger.warning(
            "prediction log: a new one begins in %s; up to release 0.1.0 it was in %s, which holds one: if "
            'that is of this table, continue it by log.folder = "%s", or move its files to %s',
            file.parent,
            _FORMER,
            _FORMER,
            file.parent,
        )
