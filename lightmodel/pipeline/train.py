"""Run `train`: fit a candidate on a split."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightmodel.cluster.client import open_cluster
from lightmodel.config import Config, TrainSection
from lightmodel.config.environment import preset
from lightmodel.config.threads import threads_of
from lightmodel.errors import ConfigError
from lightmodel.learners.factory import compile_model, make_learner
from lightmodel.pipeline.candidates import ATTEMPTS, CandidateSearch, find_winner
from lightmodel.pipeline.context import (
    Outcome,
    Pins,
    RunContext,
    contract_of,
    deciding_metric,
    format_metric,
    read_split,
    split_file,
)
from lightmodel.pipeline.fold_events import log_fold
from lightmodel.pipeline.reuse import (
    Reuse,
    find_reusable,
    libraries_of,
    model_key,
    model_parameters,
    needed_runtime,
)
from lightmodel.pipeline.training_results import write_results
from lightmodel.progress import Progress
from lightmodel.store import codec
from lightmodel.store.codec import FoldCheckpoints
from lightmodel.store.provenance import (
    NOT_SERVED,
    commit,
    imported_packages,
    machine,
    python_environment,
    requirements,
    versions,
)
from lightmodel.store.user_code import UserCode, read_user_code
from lightmodel.store.versions import Draft, Store, Version
from lightmodel.training.reference import REFERENCE

if TYPE_CHECKING:  # scikit-learn and matplotlib take seconds to import, often for nothing
    from lightmodel.training.cross_validation import TrainSpec
    from lightmodel.training.train import TrainingResult

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """Why a model is trained: the reason of its run, and the retry that proposed its parameters."""

    reason: str = ""
    retry: CandidateSearch | None = None


_NOTHING_SAID = Origin()


def run_train(context: RunContext, pins: Pins) -> Outcome:
    """Fit a candidate on the pinned split, or reuse the one with the same fingerprint."""
    pinned = pins.get("preprocess")
    if context.dry_run and pinned == "":
        return Outcome("train", "would run", "if the table or a setting of it changed", "")
    split = context.splits.get(pinned) if pinned else context.splits.newest()
    if context.force:
        return train_or_reuse(context, split, Reuse(None, "forced"))
    reuse = find_reusable(context.models, model_key(context.config, split))
    if reuse.version and (winner := find_winner(context, split, reuse.version)):
        reuse = Reuse(winner, "nothing changed; the best of a retry")
    return train_or_reuse(context, split, reuse)


def train_or_reuse(
    context: RunContext, split: Version, reuse: Reuse, retry: CandidateSearch | None = None
) -> Outcome:
    """Fit a candidate with the context's settings, unless there is one to reuse."""
    if context.dry_run and not reuse.version:
        return Outcome("train", "would run", reuse.why, "")
    candidate = reuse.version or fit_model(context, split, retry)
    score = format_metric(candidate.manifest.metrics, deciding_metric(context.config, split))
    if json.loads(candidate.read("metrics.json")).get("constant"):
        score = "the same prediction for every row"
    did, rows = "reused" if reuse.version else "made", split.manifest.rows["train"]
    return Outcome("train", did, reuse.why, candidate.name, rows, f"{score} out of fold")


def fit_model(context: RunContext, split: Version, retry: CandidateSearch | None = None) -> Version:
    """Fit a model on a split with the context's settings, and return it as a new version.

    Raises:
        ConfigError: the settings do not suit the table, or train.module changed meanwhile.
    """
    from lightmodel.training.train import train

    config, splits = context.config, context.splits
    context.record(())
    key = model_key(config, split)
    spec = train_spec(config, key, context.progress)
    table = read_split(splits, split, "train", config.store.work)
    trained = train(table, contract_of(split), spec)
    for warning in trained.warnings:
        logger.warning("%s", warning)
    try:
        origin = Origin(context.reason, retry)
        version = publish_model(context.models, config, split, trained, key, origin)
    except ConfigError:
        clear_checkpoints(config, key)
        raise
    clear_checkpoints(config, key)
    return version


def train_spec(config: Config, key: str, progress: Progress) -> "TrainSpec":
    """Return a training's specification; `key`, the model's fingerprint, names the checkpoints of folds.

    Raises:
        ConfigError: train.module or train.parameters cannot be used, or the cluster.
        SourceUnavailable: there is no cluster, or it has no worker.
    """
    from lightmodel.tables.mapped_matrices import new_matrix
    from lightmodel.training.cross_validation import TrainSpec
    from lightmodel.training.spread import SpreadLearner

    # else threads of LightGBM that wait for each other keep the processors from those that work
    preset({"OMP_WAIT_POLICY": "passive"})
    section = config.train
    code = load_user_code(section)
    has_estimator = section.estimator in {"module", "blend"}
    estimator = code.function("estimator") if code and has_estimator else None
    learner = make_learner(section, threads_of(config), estimator)
    if config.dask.engine == "dask":
        learner = SpreadLearner(learner, open_cluster(config.dask), code)
    return TrainSpec(
        section,
        config.split,
        learner,
        _checkpoints(config, key),
        progress,
        code.function("features") if code else None,
        log_fold,
        partial(new_matrix, folder=config.store.work),
    )


def _checkpoints(config: Config, key: str) -> FoldCheckpoints:
    digits = "-".join(part.partition("=")[2] for part in key.split())
    return FoldCheckpoints(config.store.work / "checkpoints" / digits)


def clear_checkpoints(config: Config, key: str) -> None:
    """Remove the checkpoints of folds of the training with this fingerprint."""
    _checkpoints(config, key).clear()


def load_user_code(section: TrainSection) -> UserCode | None:
    """Read and execute the user's module that train.module names, if it names one.

    Raises:
        ConfigError: it cannot be read or executed.
    """
    return read_user_code(Path(section.module)) if section.module else None


def publish_model(
    models: Store,
    config: Config,
    split: Version,
    trained: "TrainingResult",
    key: str,
    origin: Origin = _NOTHING_SAID,
) -> Version:
    """Write a trained model as a new version; `key` is its fingerprint from before training.

    Raises:
        ConfigError: train.module changed during training.
    """
    section = config.train
    if model_key(config, split) != key:
        raise ConfigError(f"{section.module} changed during training", hint="run it again")
    code, libraries = load_user_code(section), libraries_of(section)
    bundle = _bundle(split, trained, needed_runtime(section))
    with models.draft() as draft:
        draft.write(codec.MODEL, codec.dump(bundle))
        if section.compile != "never":
            cache = config.store.work / "compiled"
            for name, data in compile_model(trained.learner, bundle["model"], cache).items():
                draft.write(name, data)
        for name in ("contract.json", "profile.json", "checks.json"):
            draft.write(name, split.read(name))
        draft.write(REFERENCE, trained.reference.to_bytes())
        write_results(draft, trained)
        if origin.retry:
            draft.write(ATTEMPTS, origin.retry.attempts_json())
        _write_environment(draft, code, libraries)
        return draft.publish(
            inputs=_inputs(split, origin.retry),
            rows=dict(split.manifest.rows),
            libraries=versions(libraries),
            commit=commit(),
            reason=origin.reason,
            fingerprint=key,
            **_description(config, trained, bundle),
        )


def _description(
    config: Config, trained: "TrainingResult", bundle: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the manifest's fields that describe the model itself: how it was fitted, and how it scores."""
    return {
        "parameters": {
            **model_parameters(config),
            "split": bundle["split"],
            "learner": dict(trained.parameters),
        },
        "metrics": trained.metrics,
        "contract": bundle["contract"],
        "task": bundle["contract"]["task"],
        "threshold": bundle["threshold"],
        "runtime": bundle["runtime"],
        "learner": trained.learner,
        "steps": trained.steps.kinds,
        "samples": bundle["samples"],
    }


def _write_environment(draft: Draft, code: UserCode | None, libraries: Sequence[str]) -> None:
    """Write what the model needs to run elsewhere: the user's code, libraries and Python version."""
    if code:
        _warn_of_missing(code)
        draft.write(code.file, code.source)
    draft.write("requirements.txt", requirements(libraries).encode())
    draft.write("python_env.yaml", python_environment().encode())


def _warn_of_missing(code: UserCode) -> None:
    packages = imported_packages(code.source.decode(errors="replace"), code.file)
    for package in sorted(NOT_SERVED & packages):
        logger.warning(
            "%s imports %s, which no serving image contains: add it to requirements/serve-neural.in",
            code.file,
            package,
        )


def _bundle(split: Version, trained: "TrainingResult", runtime: str) -> dict[str, Any]:
    """Return the content of model.joblib: what serving and testing need, and nothing of this run."""
    return {
        "format": 1,
        "learner": trained.learner,
        "runtime": runtime,
        "contract": {**(split.manifest.contract or {}), "task": trained.task.to_dict()},
        "threshold": trained.threshold,
        "split": dict(split.manifest.parameters["split"]),
        "prior": trained.prior,
        "samples": tuple(asdict(sample) for sample in trained.samples),
        "model": trained.payload,
        **trained.steps.payload(),
    }


def _inputs(split: Version, retry: CandidateSearch | None) -> dict[str, Any]:
    return {
        "split": split.name,
        **({"retry_of": retry.original.name} if retry else {}),
        **{
            f"{part}_sha256": split.manifest.files[split_file(split, part)].sha256
            for part in ("train", "test")
        },
        **{name: split.manifest.inputs[name] for name in ("source", "sha256")},
        **({"feedback": feedback} if (feedback := split.manifest.inputs.get("feedback")) else {}),
        "preprocess": dict(split.manifest.parameters),
        "machine": machine(),
    }
