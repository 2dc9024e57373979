"""From a configuration to the prediction log, and to the tables that it ends in."""

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
    """Open the prediction log of this process; None where it is off.

    Where it cannot be kept, a warning says so and serving goes on without.

    `count` is called with numbers of rows that were "spooled", "logged" or "dropped".

    Raises:
        ConfigError: PostgreSQL is asked for, and its URL or its library is not there.
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
            'log.sink = "csv": rows are kept in %s; `python -m lightmodel export FILE` writes CSV',
            _file(log),
        )
    return PredictionLog(_file(log), log, count, server)


def open_sink(config: Config) -> Sink:
    """Open the tables themselves, with all that waits in the spool shipped to them.

    Raises:
        ConfigError: there are none, or they cannot work where they are.
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
        return SqliteSink(_file(log))
    ship(_file(log), server, lambda _name, _number: None, timeout_s=2.0)
    return server


def spooled_bytes(config: Config) -> int:
    """Return the size of what waits to be shipped to the server; 0 where it cannot be read."""
    path = _file(config.log)
    if config.log.sink != "postgres" or not path.exists():
        return 0
    with closing(SqliteSink(path)) as spool:
        try:
            return spool.used_bytes()
        except SourceUnavailable:
            return 0


def _server(log: LogSection) -> Sink | None:
    """Return the server that rows are shipped to; None where the SQLite file is the log."""
    if log.sink != "postgres":
        return None
    if log.url is None:
        raise ConfigError(
            'log.sink = "postgres" needs log.url',
            hint="set LIGHTMODEL__LOG__URL or LIGHTMODEL__LOG__URL_FILE",
        )
    return PostgresSink(log.url.get_secret_value())


def _check_folder(folder: Path) -> None:
    """Make the folder, and check that files can be written in it.

    Raises:
        OSError: they cannot.
        ConfigError: SQLite does not work there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()
    check_sqlite(folder)


def _file(log: LogSection) -> Path:
    return log.folder / ("spool.sqlite" if log.sink == "postgres" else "predictions.sqlite")
