"""Open the prediction log, or the database behind it, as the configuration says."""

import logging
import tempfile
from contextlib import closing
from pathlib import Path

from lightmodel.config import Config, LogSection
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.predictions.base import Sink
from lightmodel.predictions.log import Count, PredictionLog, ship
from lightmodel.predictions.postgres import PostgresSink
from lightmodel.predictions.sqlite import SqliteSink, check_sqlite

logger = logging.getLogger(__name__)


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
        _check_folder(log.folder)
    except (OSError, ConfigError) as error:
        reason = f"{error.message}; {error.hint}" if isinstance(error, ConfigError) else error
        logger.warning("serving without a prediction log: %s", reason)
        return None
    if log.sink == "csv":
        logger.warning(
            'log.sink = "csv": rows are stored in %s; `python -m lightmodel export FILE` writes CSV',
            _sqlite_file(log),
        )
    return PredictionLog(_sqlite_file(log), log, count, server)


def open_sink(config: Config) -> Sink:
    """Open the database of the prediction log, after shipping the spooled rows to it.

    Raises:
        ConfigError: the log is off, or its folder cannot be used.
        SourceUnavailable: the database is down.
    """
    log = config.log
    if log.sink == "none":
        raise ConfigError(
            'there is no prediction log: log.sink is "none"', hint='set log.sink to "sqlite"'
        )
    server = _server(log)
    try:
        _check_folder(log.folder)
    except OSError as error:
        raise ConfigError(
            f"log.folder cannot be used: {error.strerror or error}", hint="check who owns it"
        ) from error
    if server is None:
        return SqliteSink(_sqlite_file(log))
    ship(_sqlite_file(log), server, lambda _name, _number: None, timeout_s=2.0)
    return server


def spooled_bytes(config: Config) -> int:
    """Return the bytes in the spool, not yet shipped to the database; 0 if it cannot be read."""
    path = _sqlite_file(config.log)
    if config.log.sink != "postgres" or not path.exists():
        return 0
    with closing(SqliteSink(path)) as spool:
        try:
            return spool.used_bytes()
        except SourceUnavailable:
            return 0


def _server(log: LogSection) -> Sink | None:
    """Return the database that rows are shipped to; None if the SQLite file is the log itself."""
    if log.sink != "postgres":
        return None
    if log.url is None:
        raise ConfigError(
            'log.sink = "postgres" needs log.url',
            hint="set LIGHTMODEL__LOG__URL or LIGHTMODEL__LOG__URL_FILE",
        )
    return PostgresSink(log.url.get_secret_value())


def _check_folder(folder: Path) -> None:
    """Create the folder; raise OSError if it is not writable, ConfigError if SQLite fails there."""
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()
    check_sqlite(folder)


def _sqlite_file(log: LogSection) -> Path:
    return log.folder / ("spool.sqlite" if log.sink == "postgres" else "predictions.sqlite")
