"""From a configuration to what a run of the chain works with."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from lightmodel.config import Config, TrainSection
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.errors import ConfigError
from lightmodel.learners.base import Learner
from lightmodel.pipeline import Workshop
from lightmodel.progress.base import Progress
from lightmodel.scoring.loaded_model import load_model
from lightmodel.search.factory import alternatives, tuning
from lightmodel.sources.base import Fetched, FetchOptions
from lightmodel.store.checkpoints import FoldCheckpoints
from lightmodel.store.factory import models_of, retries_of, signer_of, splits_of, threads_of
from lightmodel.store.mirrors.factory import send
from lightmodel.store.own_code import read_own_code
from lightmodel.tables.base import TableRead
from lightmodel.tracking.factory import Record, untold
from lightmodel.training.checkpoints import Checkpoints

logger = logging.getLogger(__name__)

_ARROW = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.CATEGORY: pa.string(),
}


def workshop(
    config: Config,
    progress: Progress,
    *,
    record: Record = untold,
    force: bool = False,
    dry_run: bool = False,
) -> Workshop:
    """Build what a run of the chain works with; nothing is opened yet."""
    return Workshop(
        config=config,
        splits=splits_of(config),
        models=models_of(config),
        retries=retries_of(config),
        signer=signer_of(config),
        fetch=partial(_fetch, config, progress),
        read=partial(_read, config),
        split_files=_SplitFiles(config.data.format, threads_of(config)),
        learner=partial(_learner, threads=threads_of(config)),
        alternatives=alternatives,
        tuning=tuning(threads_of(config)),
        compiled=partial(_compiled, config.train),
        load_model=partial(load_model, threads=threads_of(config)),
        checkpoints=partial(_checkpoints, config),
        progress=progress,
        record=record,
        mirror=partial(send, config),
        force=force,
        dry_run=dry_run,
    )


def _fetch(config: Config, progress: Progress) -> Fetched:
    from lightmodel.sources.factory import fetch_first

    data = config.data
    options = FetchOptions(
        config.store.work / "cache",
        data.refresh,
        data.sha256,
        data.timeout_s,
        data.retries,
        progress,
    )
    return fetch_first((data.source, *data.mirrors), options)


def _read(config: Config, fetched: Fetched) -> TableRead:
    from lightmodel.tables.reading import read_source

    return read_source(fetched.paths, config.data)


@dataclass(frozen=True)
class _SplitFiles:
    """The project's own CSV or Parquet."""

    suffix: Literal["csv", "parquet"]
    threads: int

    def write(self, table: pa.Table, path: Path) -> None:
        from lightmodel.tables.split_files import write_table

        write_table(table, path, self.suffix, self.threads)

    def read(self, path: Path, contract: Contract) -> pa.Table:
        from lightmodel.tables.split_files import read_own

        types = {column.name: _ARROW.get(column.type) for column in contract.columns}
        known = {name: kind for name, kind in types.items() if kind is not None}
        return read_own(path, "parquet" if path.suffix == ".parquet" else "csv", known)


def _learner(train: TrainSection, threads: int) -> Learner:
    if train.estimator == "lightgbm":
        from lightmodel.learners.lightgbm import LightGBMLearner

        keep = train.final == "ensemble"
        return LightGBMLearner(train.parameters, train.seed, threads, keep_fold_models=keep)
    if train.estimator == "neural":
        from lightmodel.learners.neural import NeuralLearner

        return NeuralLearner(train.parameters, train.seed)
    if train.estimator == "blend":
        return _blend(train, threads)
    from lightmodel.learners.sklearn import SklearnLearner

    own = _own_estimator(train) if train.estimator == "module" else None
    return SklearnLearner(train.estimator, train.parameters, train.seed, threads, own)


def _own_estimator(train: TrainSection) -> Callable[..., Any]:
    own = read_own_code(Path(train.module)) if train.module else None
    made = own.function("estimator") if own else None
    if made is None:
        where = f"{train.module} defines no estimator()" if own else "train.module is not set"
        raise ConfigError(f'train.estimator = "module", and {where}', hint="docs/own-code.md")
    return made


def _blend(train: TrainSection, threads: int) -> Learner:
    from lightmodel.learners.blend import BlendLearner, read_parameters

    members, weights = read_parameters(train.parameters)
    learners = [
        _learner(
            train.model_copy(update={"estimator": one.estimator, "parameters": one.parameters}),
            threads,
        )
        for one in members
    ]
    return BlendLearner(learners, weights)


def _compiled(train: TrainSection, runtime: str, payload: dict[str, Any]) -> dict[str, bytes]:
    if train.compile == "never" or runtime != "lightgbm":
        return {}
    from lightmodel.learners.compiled.build import NotCompiledError
    from lightmodel.learners.compiled.files import compiled_files

    try:
        return compiled_files(payload)
    except NotCompiledError as why:
        logger.warning("the model is not compiled, and will be served more slowly: %s", why)
        return {}


def _checkpoints(config: Config, fingerprint: str) -> Checkpoints:
    digits = "-".join(part.partition("=")[2] for part in fingerprint.split())
    return FoldCheckpoints(config.store.work / "checkpoints" / digits)


def progress() -> Progress:
    """Give a bar on a terminal, and log lines elsewhere."""
    if sys.stderr.isatty():
        from lightmodel.progress.terminal import TerminalProgress

        return TerminalProgress(sys.stderr)
    from lightmodel.progress.log import LogProgress

    return LogProgress()
