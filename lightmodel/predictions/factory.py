"""From a configuration to the prediction log, and to what is asked of it later."""

import logging
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from lightmodel.config import Config, LogSection
from lightmodel.contract.columns import Contract
from lightmodel.errors import ArtefactMissing, ConfigError
from lightmodel.predictions.base import Sink
from lightmodel.predictions.feedback import truths_of
from lightmodel.predictions.live_metrics import Live, judge
from lightmodel.predictions.log import PredictionLog
from lightmodel.predictions.none import NoLog
from lightmodel.store.factory import models_of, signer_of
from lightmodel.tables.row_rules import Block

logger = logging.getLogger(__name__)


def open_log(config: Config, count: Callable[[str, int], None]) -> PredictionLog:
    """Open the prediction log of this process; where it cannot be kept, say so and go on without.

    Args:
        config: with the section `log`.
        count: is told of numbers of rows that were "spooled", "logged" or "dropped".

    Raises:
        ConfigError: PostgreSQL is asked for, and its URL or its library is not there.
    """
    log = config.log
    if log.sink == "none" or log.rate == 0:
        return NoLog()
    sink = _sink(log)
    try:
        _check_folder(log)
    except (OSError, ConfigError) as error:
        reason = f"{error.message}; {error.hint}" if isinstance(error, ConfigError) else error
        logger.warning("serving without a prediction log: %s", reason)
        return NoLog()
    from lightmodel.predictions.spooled import Limits, SpooledLog

    limits = Limits(log.rate, log.queue_rows, log.spool_megabytes << 20)
    return SpooledLog(_spool(log), sink, limits, count)


def open_sink(config: Config) -> Sink:
    """Open the sink itself, with all that waits in the spool sent to it.

    Raises:
        ConfigError: there is none, or it cannot work where it is.
        SourceUnavailable: it is down.
    """
    log = config.log
    if log.sink == "none":
        raise ConfigError(
            'there is no prediction log: log.sink is "none"', hint='set log.sink to "sqlite"'
        )
    sink = _sink(log)
    try:
        _check_folder(log)
    except OSError as error:
        raise ConfigError(
            f"log.folder cannot be used: {error.strerror or error}", hint="check who owns it"
        ) from error
    from lightmodel.predictions.shipping import ship

    ship(_spool(log), sink, _ignore, timeout_s=2.0)
    return sink


def spooled_bytes(config: Config) -> int:
    """Say how much waits to be sent."""
    if config.log.sink == "none":
        return 0
    from lightmodel.predictions.spool import waiting_bytes

    return waiting_bytes(config.log.folder / "spool")


def add_truths(config: Config, blocks: Iterable[Block], contract: Contract) -> dict[str, int]:
    """Keep late labels.

    Args:
        config: with the section `log`.
        blocks: rows, read by `label_contract`.
        contract: of the model.

    Returns:
        how many rows came, how many of them have no label yet, and how many ids have an answer or none.

    Raises:
        ContractViolation: ids are missing, or values are no labels of the task.
        SourceUnavailable: the sink is down.
    """
    truths = truths_of(blocks, contract)
    with closing(open_sink(config)) as sink:
        matched = sink.add_truths(truths.labels, datetime.now(UTC))
    unmatched = len(truths.labels) - matched
    return {
        "rows": truths.rows,
        "matched": matched,
        "unmatched": unmatched,
        "without_label": truths.empty,
    }


def live_metrics(config: Config) -> list[Live]:
    """Measure each model version on the truths that have come, oldest version first.

    Raises:
        ArtefactMissing: no model is left that says what the answers mean.
        SourceUnavailable: the sink is down.
    """
    contract = newest_contract(config)
    known = {
        version.name: Contract.from_dict(version.manifest.contract)
        for version in models_of(config).versions()
        if version.manifest.contract
    }
    with closing(open_sink(config)) as sink:
        return [
            judge(version, rows, known.get(version, contract).task, sink.judged(version))
            for version, rows in sink.answered().items()
        ]


def newest_contract(config: Config) -> Contract:
    """Give the contract of the newest approved model, without loading the model.

    Raises:
        ArtefactMissing: there is none.
    """
    from lightmodel.store.verdict import newest_approved

    version = newest_approved(models_of(config), signer_of(config))
    if version.manifest.contract is None:
        raise ArtefactMissing(f"{version.name} holds no contract", hint="train anew")
    return Contract.from_dict(version.manifest.contract)


def _sink(log: LogSection) -> Sink:
    if log.sink == "sqlite":
        from lightmodel.predictions.sqlite import SqliteSink

        return SqliteSink(log.folder)
    if log.sink == "csv":
        from lightmodel.predictions.csv_file import CsvSink

        return CsvSink(log.folder)
    if log.url is None:
        raise ConfigError(
            'log.sink = "postgres" needs log.url',
            hint="set LIGHTMODEL__LOG__URL or LIGHTMODEL__LOG__URL_FILE",
        )
    from lightmodel.predictions.postgres import PostgresSink

    return PostgresSink(log.url.get_secret_value())


def _check_folder(log: LogSection) -> None:
    """Make the folder, and see that files can be written and locked in it.

    Raises:
        OSError: they cannot.
        ConfigError: SQLite does not work there.
    """
    from lightmodel.predictions.spool import check_folder
    from lightmodel.predictions.sqlite import check_sqlite

    check_folder(_spool(log))
    if log.sink == "sqlite":
        check_sqlite(log.folder)


def _spool(log: LogSection) -> Path:
    return log.folder / "spool"


def _ignore(_name: str, _number: int) -> None:
    """Rows that are sent from here are counted by nobody."""
