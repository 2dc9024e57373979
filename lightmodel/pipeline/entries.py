"""The entries of a comparison: which take part, and how each is trained, as the chain would train it.

Their models lie in store.work. None of them is served or passes the gate, and what was trained for
an earlier comparison of the same table and settings is used again.
"""

import io
import json
import shutil
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from lightmodel.config import Config
from lightmodel.config.load import threads_of
from lightmodel.errors import ArtefactMissing, ConfigError
from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.pipeline.context import contract_of, read_split
from lightmodel.pipeline.reuse import find_reusable, model_key
from lightmodel.pipeline.testing import defined, open_model
from lightmodel.pipeline.train import publish_model, train_spec
from lightmodel.progress import SilentProgress
from lightmodel.search.entries import CvResult, Entry, EntryResult, default_entries, is_installed
from lightmodel.search.parallel import Failure, run_parallel
from lightmodel.store import codec
from lightmodel.store.factory import signer_of, splits_of
from lightmodel.store.versions import Store, Version
from lightmodel.tables.encode import feature_matrix

TIMED_ROWS, TIMED_TIMES = 1_000, 3
MOST_NOTES = 2


def comparison_models(config: Config) -> Store:
    """Return the store of the models that comparisons trained."""
    return Store(config.store.work / "comparisons" / "models", "model", signer_of(config))


def choose_entries(
    split: Version, only: Sequence[str]
) -> tuple[tuple[Entry, ...], tuple[EntryResult, ...]]:
    """Return the entries of a comparison on a split, and those that cannot take part, with the reason.

    Args:
        split: to train on.
        only: names of entries; all that suit where there are none.

    Raises:
        ConfigError: there is no entry of that name for this task.
    """
    kind, rows = contract_of(split).task.kind, split.manifest.rows["train"]
    every = {one.name: one for one in default_entries(kind, rows)}
    if unknown := [name for name in only if name not in every]:
        raise ConfigError(
            f"no contender of a {kind} task is called {', '.join(unknown)}",
            hint=f"known are {', '.join(sorted(every))}",
        )
    chosen = [one for name, one in every.items() if not only or name in only]
    reasons = [_why_absent(one, rows, named=one.name in only) for one in chosen]
    pairs = list(zip(chosen, reasons, strict=True))
    absent = tuple(EntryResult(one, reason=why) for one, why in pairs if why)
    return tuple(one for one, why in pairs if not why), absent


def _why_absent(entry: Entry, rows: int, *, named: bool) -> str:
    if not is_installed(entry):
        return f"not installed: pip install -r requirements/{entry.extra}.txt"
    if entry.max_rows and rows > entry.max_rows and not named:
        return (
            f"left out: slow above {entry.max_rows:,} training rows, and here are {rows:,}; "
            f"--only {entry.name} tries it"
        )
    return ""


def train_entries(
    config: Config, split: Version, entries: Sequence[Entry], limit_s: float
) -> Iterator[EntryResult]:
    """Train entries side by side, each on a thread of its own where there are enough of them.

    Args:
        config: the settings in force.
        split: to train on.
        entries: in the order in which to begin.
        limit_s: seconds for each.

    Yields:
        how each ended, as it ends.
    """
    threads = threads_of(config)
    count = min(threads, len(entries))
    per_entry = threads // count
    train = config.train.model_copy(update={"threads": per_entry})
    work = partial(train_entry, config.model_copy(update={"train": train}), split.name)
    for entry, answer in run_parallel(
        work, entries, processes=count, threads=per_entry, timeout_s=limit_s
    ):
        if isinstance(answer, Failure):
            yield EntryResult(entry, reason=answer.reason)
        else:
            yield EntryResult(entry, version=answer)


def train_entry(config: Config, split_name: str, entry: Entry) -> str:
    """Train an entry on a split, or find that it was, and return the version of its model."""
    models, split = comparison_models(config), splits_of(config).get(split_name)
    own = {
        "estimator": entry.estimator,
        "parameters": dict(entry.parameters),
        "compile": "never",
    }
    config = config.model_copy(update={"train": config.train.model_copy(update=own)})
    key = model_key(config, split)
    reuse = find_reusable(models, key, lambda one: _scores_file(models, one.name).exists())
    return reuse.version.name if reuse.version else _train(config, models, split, key)


def _train(config: Config, models: Store, split: Version, key: str) -> str:
    from lightmodel.training.train import train

    table = read_split(splits_of(config), split, "train")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        spec = replace(train_spec(config, key, SilentProgress()), checkpoints=None)
        started = time.perf_counter()
        trained = train(table, contract_of(split), spec)
        seconds = time.perf_counter() - started
        version = publish_model(models, config, split, trained, key)
    kept = io.BytesIO()
    np.savez(
        kept,
        scores=trained.out_of_fold,
        fit_seconds=seconds,
        row_seconds=_row_seconds(config, table, version),
        notes=np.array(_notes(caught), dtype=np.str_),
    )
    path = _scores_file(models, version.name)
    with translate_os_errors(path):
        path.parent.mkdir(exist_ok=True)
    write_atomic(path, kept.getvalue())
    return version.name


def _row_seconds(config: Config, table: pa.Table, version: Version) -> float:
    """Time the model as it comes out of its bundle; the best of a few tries, in seconds a row."""
    candidate = open_model(config, version)
    features = feature_matrix(table.slice(0, TIMED_ROWS), candidate.contract)
    candidate.predict(features)
    seconds = []
    for _ in range(TIMED_TIMES):
        started = time.perf_counter()
        candidate.predict(features)
        seconds.append(time.perf_counter() - started)
    return min(seconds) / len(features)


def _notes(caught: Sequence[warnings.WarningMessage]) -> list[str]:
    """Return the first sentence of each warning, once; announcements of changes are left out."""
    coming = (FutureWarning, DeprecationWarning, PendingDeprecationWarning)
    of_now = [one for one in caught if not issubclass(one.category, coming)]
    sentences = [" ".join(str(one.message).split()).partition(". ")[0] for one in of_now]
    return list(dict.fromkeys(sentences))[:MOST_NOTES]


def read_result(models: Store, entry: Entry, name: str) -> CvResult:
    """Read back the cross-validation of an entry.

    Raises:
        ArtefactMissing: it was removed meanwhile.
        ArtefactCorrupt: it is not what was written.
    """
    version = models.get(name)
    findings = json.loads(version.read("metrics.json"))
    try:
        data = _scores_file(models, name).read_bytes()
    except OSError as error:
        raise ArtefactMissing(f"{name}.npz is gone from the comparisons in store.work") from error
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        return CvResult(
            entry.name,
            entry.estimator,
            entry.parameters,
            kept["scores"],
            tuple(defined(fold["metrics"]) for fold in findings["folds"]),
            defined(findings["out_of_fold"]),
            float(kept["fit_seconds"]),
            float(kept["row_seconds"]),
            version.manifest.files[codec.MODEL].size,
            tuple(str(note) for note in kept["notes"]),
            (name,),
        )


def _scores_file(models: Store, name: str) -> Path:
    return models.folder.parent / "scores" / f"{name}.npz"


def remove_other_models(models: Store, split: Version) -> None:
    """Remove the models of comparisons on other splits, and what a killed one left."""
    every = models.versions()
    kept = {one.name for one in every if one.manifest.inputs["split"] == split.name}
    for name in models.names():
        if name not in kept:
            shutil.rmtree(models.folder / name, ignore_errors=True)
            _scores_file(models, name).unlink(missing_ok=True)
