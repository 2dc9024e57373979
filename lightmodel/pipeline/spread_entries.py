"""Train the entries of a comparison on the workers of a cluster, which see none of this machine's files."""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from lightmodel.cluster.client import Cluster, Shared, open_cluster
from lightmodel.config import Config, ServeSection, SplitSection, StoreSection, TrainSection
from lightmodel.config.environment import without_secrets
from lightmodel.errors import SourceUnavailable
from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.pipeline.context import split_file
from lightmodel.pipeline.entries import (
    comparison_models,
    entry_config,
    find_trained,
    scores_file,
    train_entry,
)
from lightmodel.search.entries import Entry
from lightmodel.search.parallel import Failure, failure_of, overdue
from lightmodel.store.sent_versions import SentVersion
from lightmodel.store.user_code import read_source
from lightmodel.store.versions import Version, splits_of

_NEEDED = ("contract.json", "profile.json", "checks.json")


@dataclass(frozen=True)
class _Work:
    """What a worker needs for all entries.

    Attributes:
        split: without its test rows.
        module: name and source of train.module, if there is one.
    """

    split: SentVersion
    cut: SplitSection
    train: TrainSection
    serve: ServeSection
    module: tuple[str, bytes] | None

    def unpack(self, folder: Path) -> Config:
        """Write the files into a folder, and return the settings by which to train there."""
        train = self.train
        if self.module:
            name, source = self.module
            (folder / name).write_bytes(source)
            train = train.model_copy(update={"module": str(folder / name)})
        store = StoreSection(root=folder, work=folder / "work")
        config = Config(split=self.cut, train=train, serve=self.serve, store=store)
        self.split.write(splits_of(config))
        return config


@dataclass(frozen=True)
class _Comparison:
    """A comparison whose entries are trained by workers."""

    config: Config
    split: Version
    cluster: Cluster
    work: Shared
    limit_s: float

    def train(self, entry: Entry, stop: threading.Event) -> str | Failure:
        """Return the version of an entry's model, or why there is none.

        Raises:
            SourceUnavailable: the cluster is gone.
        """
        if known := find_trained(entry_config(self.config, entry), self.split):
            return known
        timer = threading.Timer(self.limit_s, stop.set)
        timer.start()
        try:
            sent, scores = self.cluster.call(_train, entry, shared=self.work, stop=stop)
        except SourceUnavailable:
            raise
        except CancelledError:
            return overdue(self.limit_s)
        except Exception as error:  # noqa: BLE001 — of whatever estimator
            return failure_of(error)
        finally:
            timer.cancel()
        return self._keep(sent, scores)

    def _keep(self, sent: SentVersion, scores: bytes) -> str:
        """Add a model that a worker trained to those of comparisons; its manifest comes last."""
        models = comparison_models(self.config)
        path = scores_file(models, sent.name)
        with translate_os_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, scores)
        return sent.write(models).name


def train_on_cluster(
    config: Config, split: Version, entries: Sequence[Entry], limit_s: float
) -> Iterator[tuple[Entry, str | Failure]]:
    """Train entries, as many at once as the workers have threads.

    Yields:
        Each entry as soon as it ends, with the version of its model or the reason of its failure.
    """
    cluster = open_cluster(config.dask)
    shared = cluster.share(_work_of(config, split))
    comparison = _Comparison(config, split, cluster, shared, limit_s)
    pool = ThreadPoolExecutor(cluster.threads, thread_name_prefix="entry")
    stops = [threading.Event() for _ in entries]
    futures = {
        pool.submit(comparison.train, entry, stop): entry
        for entry, stop in zip(entries, stops, strict=True)
    }
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for stop in stops:
            stop.set()
        pool.shutdown(cancel_futures=True)


def _work_of(config: Config, split: Version) -> _Work:
    sent = SentVersion.of(split, (split_file(split, "train"), *_NEEDED))
    train = config.train.model_copy(update={"threads": 1})
    path = Path(train.module)
    module = (path.name, read_source(path)) if train.module else None
    return _Work(sent, config.split, train, without_secrets(config.serve), module)


def _train(work: _Work, entry: Entry) -> tuple[SentVersion, bytes]:
    """Train an entry, on a worker, and return its model and its out-of-fold scores."""
    with tempfile.TemporaryDirectory(prefix="light-model-") as name:
        config = work.unpack(Path(name))
        trained = train_entry(config, work.split.name, entry)
        models = comparison_models(config)
        sent = SentVersion.of(models.get(trained))
        return sent, scores_file(models, trained).read_bytes()
