"""From a configuration to the objects that do the work: the only module that knows both."""

import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from lightmodel.artefacts import codec
from lightmodel.artefacts.checkpoints import FoldCheckpoints
from lightmodel.artefacts.signing import Signer
from lightmodel.artefacts.store import Store
from lightmodel.artefacts.verdicts import newest_approved
from lightmodel.chain import Workshop
from lightmodel.config import Config, DataSection, TrainSection
from lightmodel.domain.contract import ColumnType, Contract
from lightmodel.domain.results import SampleRow
from lightmodel.ports.checkpoints import Checkpoints
from lightmodel.ports.learner import FittedModel, Learner
from lightmodel.ports.progress import Progress
from lightmodel.ports.source import Fetched, FetchOptions
from lightmodel.stages.prediction import Predictor, check_samples

_ARROW = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.CATEGORY: pa.string(),
}


def workshop(
    config: Config, progress: Progress, *, force: bool = False, dry_run: bool = False
) -> Workshop:
    """Build what a run of the chain works with; nothing is opened yet."""
    return Workshop(
        config=config,
        splits=splits_of(config),
        models=models_of(config),
        signer=signer_of(config),
        fetch=partial(_fetch, config, progress),
        read=partial(_read, config),
        split_files=_SplitFiles(config.data.format, threads_of(config)),
        learner=partial(_learner, config.train, threads_of(config)),
        load_model=partial(load_model, threads=threads_of(config)),
        checkpoints=partial(_checkpoints, config),
        progress=progress,
        force=force,
        dry_run=dry_run,
    )


def splits_of(config: Config) -> Store:
    """Give the store of splits."""
    return Store(config.store.root / "preprocessed", "split", signer_of(config))


def models_of(config: Config) -> Store:
    """Give the store of models."""
    return Store(config.store.root / "model", "model", signer_of(config))


def signer_of(config: Config) -> Signer:
    """Give what signs and checks; without a key it does neither."""
    key = config.store.signing_key
    return Signer(key.get_secret_value().encode() if key else None)


def threads_of(config: Config) -> int:
    """Give the threads for fitting: as many as this process may run on, unless set."""
    if hasattr(os, "sched_getaffinity"):
        return config.train.threads or len(os.sched_getaffinity(0))
    return config.train.threads or os.cpu_count() or 1


def _fetch(config: Config, progress: Progress) -> Fetched:
    from lightmodel.adapters.sources.catalogue import fetch_first

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


def _read(config: Config, fetched: Fetched) -> pa.Table:
    from lightmodel.adapters.formats.reading import read_table

    return read_table(fetched.paths, config.data)


@dataclass(frozen=True)
class _SplitFiles:
    """The project's own CSV or Parquet."""

    suffix: Literal["csv", "parquet"]
    threads: int

    def write(self, table: pa.Table, path: Path) -> None:
        from lightmodel.adapters.formats.own import write_table

        write_table(table, path, self.suffix, self.threads)

    def read(self, path: Path, contract: Contract) -> pa.Table:
        from lightmodel.adapters.formats.own import read_own

        types = {column.name: _ARROW.get(column.type) for column in contract.columns}
        known = {name: kind for name, kind in types.items() if kind is not None}
        return read_own(path, "parquet" if path.suffix == ".parquet" else "csv", known)


def _learner(train: TrainSection, threads: int) -> Learner:
    if train.estimator == "lightgbm":
        from lightmodel.adapters.learners.lightgbm import LightGBMLearner

        keep = train.final == "ensemble"
        return LightGBMLearner(train.parameters, train.seed, threads, keep_fold_models=keep)
    from lightmodel.adapters.learners.sklearn import SklearnLearner

    return SklearnLearner(train.estimator, train.parameters, train.seed, threads)


def load_model(runtime: str, payload: dict[str, Any], threads: int) -> FittedModel:
    """Build a model from a bundle's runtime and payload."""
    if runtime == "lightgbm":
        from lightmodel.adapters.learners.lightgbm import LightGBMModel

        return LightGBMModel.from_payload(payload, threads)
    from lightmodel.adapters.learners.sklearn import SklearnModel

    return SklearnModel.from_payload(payload)


def _checkpoints(config: Config, fingerprint: str) -> Checkpoints:
    digits = "-".join(part.partition("=")[2] for part in fingerprint.split())
    return FoldCheckpoints(config.store.work / "checkpoints" / digits)


def progress() -> Progress:
    """Give a bar on a terminal, and log lines elsewhere."""
    if sys.stderr.isatty():
        from lightmodel.adapters.progress.terminal import TerminalProgress

        return TerminalProgress(sys.stderr)
    from lightmodel.adapters.progress.log import LogProgress

    return LogProgress()


def predictor(config: Config) -> Predictor:
    """Open the newest approved model and test it on its own sample rows.

    Raises:
        ArtefactMissing: no approved model is there.
        ArtefactCorrupt: it does not score its samples as it did when it was made.
    """
    version = newest_approved(models_of(config), signer_of(config))
    bundle = codec.load(version)
    model = load_model(bundle["runtime"], bundle["model"], threads_of(config))
    opened = Predictor(
        version.name, Contract.from_dict(bundle["contract"]), bundle["threshold"], model.predict
    )
    samples = (SampleRow(item["values"], tuple(item["score"])) for item in version.manifest.samples)
    check_samples(opened, tuple(samples))
    return opened


def read_upload(path: Path, data: DataSection) -> pa.Table:
    """Read one uploaded file as the training table was read."""
    from lightmodel.adapters.formats.reading import read_table

    return read_table((path,), data)
