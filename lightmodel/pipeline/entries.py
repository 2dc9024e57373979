"""Train the entries of a comparison as the chain would, and read their results back.

Their models lie in store.work, and are neither served nor tested by the gate. Models of an earlier
comparison of the same table and settings are reused.
"""

import io
import json
import shutil
import time
import timeit
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from lightmodel.config import Config, DaskSection
from lightmodel.config.threads import threads_of
from lightmodel.errors import ArtefactMissing
from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.pipeline.context import contract_of, read_split
from lightmodel.pipeline.reuse import find_reusable, model_key
from lightmodel.pipeline.testing import nan_for_null, open_model
from lightmodel.pipeline.train import publish_model, train_spec
from lightmodel.progress import SilentProgress
from lightmodel.search.entries import CvResult, Entry
from lightmodel.search.parallel import Failure, run_parallel
from lightmodel.store import codec
from lightmodel.store.versions import Store, Version, signer_of, splits_of
from lightmodel.tables.encode import feature_matrix
from lightmodel.training.train import train

TIMED_ROWS, TIMING_REPEATS = 1_000, 3
MAX_NOTES = 2


def comparison_models(config: Config) -> Store:
    """Return the store of the models that comparisons trained."""
    return Store(config.store.work / "comparisons" / "models", "model", signer_of(config))


def train_entries(
    config: Config, split: Version, entries: Sequence[Entry], limit_s: float
) -> Iterator[tuple[Entry, str | Failure]]:
    """Train entries in parallel, which share the available threads.

    Yields:
        Each entry as soon as it ends, with the version of its model or the reason of its failure.
    """
    threads = threads_of(config)
    count = min(threads, len(entries))
    per_entry = threads // count
    section = config.train.model_copy(update={"threads": per_entry})
    work = partial(train_entry, config.model_copy(update={"train": section}), split.name)
    return run_parallel(work, entries, processes=count, threads=per_entry, timeout_s=limit_s)


def train_entry(config: Config, split_name: str, entry: Entry) -> str:
    """Train an entry on a split, or reuse its model, and return the version of that."""
    split = splits_of(config).get(split_name)
    config = entry_config(config, entry)
    known = find_trained(config, split)
    return known or _train(config, comparison_models(config), split, model_key(config, split))


def entry_config(config: Config, entry: Entry) -> Config:
    """Return the settings by which an entry is trained, on one machine."""
    new = {"estimator": entry.estimator, "parameters": dict(entry.parameters), "compile": "never"}
    train = config.train.model_copy(update=new)
    return config.model_copy(update={"train": train, "dask": DaskSection()})


def find_trained(config: Config, split: Version) -> str | None:
    """Return the version that an earlier comparison trained with an entry's settings, if there is one."""
    models = comparison_models(config)
    key = model_key(config, split)
    found = find_reusable(models, key, lambda one: scores_file(models, one.name).exists())
    return found.version.name if found.version else None


def _train(config: Config, models: Store, split: Version, key: str) -> str:
    table = read_split(splits_of(config), split, "train", config.store.work)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        spec = replace(train_spec(config, key, SilentProgress()), checkpoints=None)
        started = time.perf_counter()
        trained = train(table, contract_of(split), spec)
        seconds = time.perf_counter() - started
        version = publish_model(models, config, split, trained, key)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        scores=trained.out_of_fold,
        fit_seconds=seconds,
        row_seconds=_row_seconds(config, table, version),
        notes=np.array(_notes(caught), dtype=np.str_),
    )
    path = scores_file(models, version.name)
    with translate_os_errors(path):
        path.parent.mkdir(exist_ok=True)
    write_atomic(path, buffer.getvalue())
    return version.name


def _row_seconds(config: Config, table: pa.Table, version: Version) -> float:
    """Time the scoring by the stored model: the best of a few repeats, in seconds per row."""
    candidate = open_model(config, version)
    rows = table.slice(0, TIMED_ROWS)
    features = feature_matrix(rows, candidate.contract, candidate.texts)
    more = candidate.others_of(rows)
    candidate.predict(features, *more)
    seconds = timeit.repeat(
        lambda: candidate.predict(features, *more), number=1, repeat=TIMING_REPEATS
    )
    return min(seconds) / len(features)


def _notes(caught: Sequence[warnings.WarningMessage]) -> list[str]:
    """Return the first sentence of each distinct warning, except those about future changes."""
    of_future = (FutureWarning, DeprecationWarning, PendingDeprecationWarning)
    present = [one for one in caught if not issubclass(one.category, of_future)]
    sentences = [" ".join(str(one.message).split()).partition(". ")[0] for one in present]
    return list(dict.fromkeys(sentences))[:MAX_NOTES]


def read_result(config: Config, entry: Entry, name: str) -> CvResult:
    """Read back the cross-validation of an entry.

    Raises:
        ArtefactMissing: it was removed meanwhile.
        ArtefactCorrupt: a file does not match the manifest.
    """
    models = comparison_models(config)
    version = models.get(name)
    results = json.loads(version.read("metrics.json"))
    try:
        data = scores_file(models, name).read_bytes()
    except OSError as error:
        raise ArtefactMissing(f"{name}.npz was removed from store.work/comparisons") from error
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return CvResult(
            entry.name,
            entry.estimator,
            entry.parameters,
            arrays["scores"],
            tuple(nan_for_null(fold["metrics"]) for fold in results["folds"]),
            nan_for_null(results["out_of_fold"]),
            float(arrays["fit_seconds"]),
            float(arrays["row_seconds"]),
            version.manifest.files[codec.MODEL].size,
            tuple(str(note) for note in arrays["notes"]),
            (name,),
        )


def scores_file(models: Store, name: str) -> Path:
    """Return the path of a model's out-of-fold scores."""
    return models.folder.parent / "scores" / f"{name}.npz"


def remove_other_models(config: Config, split: Version) -> None:
    """Remove models of comparisons on other splits, and remains of killed comparisons."""
    models = comparison_models(config)
    every = models.versions()
    kept = {one.name for one in every if one.manifest.inputs["split"] == split.name}
    for name in models.names():
        if name not in kept:
            shutil.rmtree(models.folder / name, ignore_errors=True)
            scores_file(models, name).unlink(missing_ok=True)
