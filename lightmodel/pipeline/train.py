"""Run `train`: a split becomes a candidate."""

import csv
import io
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightmodel.config import TrainSection
from lightmodel.contract.columns import Contract
from lightmodel.errors import ConfigError
from lightmodel.learners.base import Learner
from lightmodel.pipeline.candidates import (
    ATTEMPTS,
    deciding_metric,
    find_winner,
    shown_out_of_fold,
)
from lightmodel.pipeline.context import (
    Outcome,
    Pins,
    Reuse,
    Workshop,
    find_reusable,
    read_side,
    side_file,
)
from lightmodel.pipeline.dependencies import libraries_of, needed_runtime
from lightmodel.pipeline.reuse import model_key, model_parameters
from lightmodel.store import codec
from lightmodel.store.fingerprint import versions
from lightmodel.store.manifest import json_bytes
from lightmodel.store.own_code import OwnCode, read_own_code
from lightmodel.store.provenance import commit, machine, python_environment, requirements
from lightmodel.store.runtime import NOT_SERVED, imported_packages
from lightmodel.store.versions import Draft, Version

if (
    TYPE_CHECKING
):  # imported when it runs: pandas and matplotlib take seconds, and often nothing is to do
    from lightmodel.training.train import Recipe, Trained

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tried:
    """What a retry tells of the model that it chose: in whose place, and all that was tried."""

    original: str
    record: bytes


def run_train(workshop: Workshop, pins: Pins) -> Outcome:
    """Fit a candidate on the pinned split, or find the one that was fitted like this before."""
    if workshop.dry_run and pins.split == "":
        return Outcome("train", "would run", "if the table or a setting of it changed", "")
    split = workshop.splits.get(pins.split) if pins.split else workshop.splits.newest()
    key = model_key(workshop.config, split)
    reuse = Reuse(None, "forced") if workshop.force else find_reusable(workshop.models, key)
    winner = find_winner(workshop, split, reuse.version) if reuse.version else None
    if winner:
        reuse = Reuse(winner, "nothing changed, the best of a retry")
    return train_or_reuse(workshop, split, reuse)


def train_or_reuse(
    workshop: Workshop, split: Version, reuse: Reuse, tried: Tried | None = None
) -> Outcome:
    """Fit a candidate by the workshop's settings where there is none to use again."""
    if workshop.dry_run and not reuse.version:
        return Outcome("train", "would run", reuse.why, "")
    candidate = reuse.version or _fit(workshop, split, tried)
    shown = shown_out_of_fold(candidate.manifest.metrics, deciding_metric(workshop.config, split))
    did = "reused" if reuse.version else "made"
    return Outcome("train", did, reuse.why, candidate.name, split.manifest.rows["train"], shown)


def _fit(workshop: Workshop, split: Version, tried: Tried | None) -> Version:
    from lightmodel.training.train import train

    workshop.record(())
    key = model_key(workshop.config, split)
    contract = Contract.from_dict(split.manifest.contract or {})
    recipe = recipe_of(workshop, key)
    trained = train(read_side(workshop, split, "train", contract), contract, recipe)
    if model_key(workshop.config, split) != key:
        recipe.checkpoints.clear()
        raise ConfigError(
            f"{workshop.config.train.module} was changed while it was trained", hint="run it again"
        )
    version = _publish(workshop, split, recipe.learner, trained, key, tried)
    recipe.checkpoints.clear()
    return version


def recipe_of(workshop: Workshop, key: str) -> "Recipe":
    """Give what the stage needs to train by the workshop's settings."""
    from lightmodel.training.train import Recipe

    section = workshop.config.train
    own = own_code(section)
    return Recipe(
        section,
        workshop.config.split,
        workshop.learner(section),
        workshop.checkpoints(key),
        workshop.progress,
        own.function("features") if own else None,
    )


def own_code(section: TrainSection) -> OwnCode | None:
    """Open the file that train.module names.

    Raises:
        ConfigError: it cannot be used.
    """
    return read_own_code(Path(section.module)) if section.module else None


def _publish(
    workshop: Workshop,
    split: Version,
    learner: Learner,
    trained: "Trained",
    key: str,
    tried: Tried | None,
) -> Version:
    own = own_code(workshop.config.train)
    bundle = _bundle(split, learner, trained, needed_runtime(workshop.config.train))
    libraries = libraries_of(workshop.config.train)
    _warn_of_missing(own)
    with workshop.models.draft() as draft:
        draft.write(codec.MODEL, codec.dump(bundle))
        for name in ("contract.json", "profile.json", "checks.json"):
            draft.write(name, split.read(name))
        for name, data in workshop.compiled(learner.name, bundle["model"]).items():
            draft.write(name, data)
        if own:
            draft.write(own.file, own.source)
        _write_findings(draft, trained)
        if tried:
            draft.write(ATTEMPTS, tried.record)
        draft.write("requirements.txt", requirements(libraries).encode())
        draft.write("python_env.yaml", python_environment().encode())
        return draft.publish(
            inputs=_inputs(split, tried),
            parameters={
                **model_parameters(workshop.config),
                "split": bundle["split"],
                "learner": dict(trained.parameters),
            },
            rows=dict(split.manifest.rows),
            metrics=trained.metrics,
            contract=bundle["contract"],
            task=bundle["contract"]["task"],
            threshold=bundle["threshold"],
            runtime=bundle["runtime"],
            learner=learner.name,
            steps=trained.steps.names,
            samples=bundle["samples"],
            libraries=versions(libraries),
            commit=commit(),
            fingerprint=key,
        )


def _warn_of_missing(own: OwnCode | None) -> None:
    packages = imported_packages(own.source.decode(errors="replace"), own.file) if own else ()
    for package in sorted(NOT_SERVED.intersection(packages)):
        logger.warning(
            "%s imports %s, which no serving image holds: add it to requirements/serve-neural.in",
            own.file if own else "",
            package,
        )


def _bundle(split: Version, learner: Learner, trained: "Trained", runtime: str) -> dict[str, Any]:
    """Give what goes into model.joblib: all that serving and judging need, and nothing of this run."""
    return {
        "format": 1,
        "learner": learner.name,
        "runtime": runtime,
        "contract": split.manifest.contract,
        "threshold": trained.threshold,
        "split": dict(split.manifest.parameters["split"]),
        "prior": trained.prior,
        "samples": tuple(asdict(sample) for sample in trained.samples),
        "model": trained.payload,
        **trained.steps.payload(),
    }


def _inputs(split: Version, tried: Tried | None) -> dict[str, Any]:
    return {
        "split": split.name,
        **({"retry_of": tried.original} if tried else {}),
        "train_sha256": split.manifest.files[side_file(split, "train")].sha256,
        **{name: split.manifest.inputs[name] for name in ("source", "sha256")},
        "preprocess": dict(split.manifest.parameters),
        "machine": machine(),
    }


def _write_findings(draft: Draft, trained: "Trained") -> None:
    from lightmodel.report.plots import importance_png

    findings = {
        "out_of_fold": trained.metrics,
        "threshold": trained.threshold,
        "prior": trained.prior,
        "folds": [asdict(fold) for fold in trained.folds],
    }
    draft.write("metrics.json", json_bytes(findings))
    draft.write("cv_results.csv", _fold_table(trained))
    if trained.importance:
        gains = {item.feature: item.gain for item in trained.importance}
        draft.write("feature_importance_gain.json", json_bytes(gains))
        draft.write("feature_importance_gain.png", importance_png(trained.importance))
    splits = {item.feature: item.split for item in trained.importance if item.split == item.split}
    if splits:
        draft.write("feature_importance_split.json", json_bytes(splits))
        draft.write(
            "feature_importance_split.png", importance_png(trained.importance, kind="split")
        )


def _fold_table(trained: "Trained") -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    names = list(trained.folds[0].metrics)
    rows.writerow(["fold", "rows", "rounds", *names])
    for fold in trained.folds:
        rows.writerow([fold.fold, fold.rows, fold.rounds, *(fold.metrics[name] for name in names)])
    return text.getvalue().encode()
