"""Run `train`: a split becomes a candidate."""

import csv
import io
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lightmodel.artefacts import codec
from lightmodel.artefacts.fingerprint import fingerprint, versions
from lightmodel.artefacts.manifest import json_bytes
from lightmodel.artefacts.origin import commit, python_environment, requirements
from lightmodel.artefacts.store import Draft, Version
from lightmodel.chain.workshop import (
    Outcome,
    Pins,
    Reuse,
    Workshop,
    find_reusable,
    read_side,
    shown_number,
    side_file,
)
from lightmodel.config import Config
from lightmodel.domain.contract import Contract
from lightmodel.domain.metrics import gate_metric
from lightmodel.ports.learner import Learner

if (
    TYPE_CHECKING
):  # imported when it runs: pandas and matplotlib take seconds, and often nothing is to do
    from lightmodel.stages.train import Trained

logger = logging.getLogger(__name__)

MODULES = ("lightmodel.stages.train", "lightmodel.artefacts.codec")
LEARNERS = {
    "lightgbm": ("lightmodel.adapters.learners.lightgbm", "lightmodel.adapters.compilers.files"),
    "sklearn": ("lightmodel.adapters.learners.sklearn",),
}
LIBRARIES = {
    "lightgbm": ("joblib", "lightgbm", "numpy", "pyarrow", "scipy"),
    "sklearn": ("joblib", "numpy", "pyarrow", "scikit-learn", "scipy"),
}


def run_train(workshop: Workshop, pins: Pins) -> Outcome:
    """Fit a candidate on the pinned split, or find the one that was fitted like this before."""
    if workshop.dry_run and pins.split == "":
        return Outcome("train", "would run", "if the table or a setting of it changed", "")
    split = workshop.splits.get(pins.split) if pins.split else workshop.splits.newest()
    contract = Contract.from_dict(split.manifest.contract or {})
    metric = gate_metric(workshop.config.gate.metric, contract.task.kind)
    key = _key(workshop, split)
    reuse = Reuse(None, "forced") if workshop.force else find_reusable(workshop.models, key)
    if workshop.dry_run and not reuse.version:
        return Outcome("train", "would run", reuse.why, "")
    candidate = reuse.version or _fit(workshop, split, contract, key)
    shown = f"{metric.title} {shown_number(candidate.manifest.metrics[metric.name])} out of fold"
    did = "reused" if reuse.version else "made"
    return Outcome("train", did, reuse.why, candidate.name, split.manifest.rows["train"], shown)


def _runtime(config: Config) -> str:
    return "lightgbm" if config.train.estimator == "lightgbm" else "sklearn"


def _key(workshop: Workshop, split: Version) -> str:
    runtime = _runtime(workshop.config)
    read = (side_file(split, "train"), "contract.json")
    inputs = {name: split.manifest.files[name].sha256 for name in read}
    modules = (*MODULES, *LEARNERS[runtime])
    return fingerprint(inputs, _parameters(workshop.config), modules, LIBRARIES[runtime])


def _parameters(config: Config) -> dict[str, Any]:
    """Give the settings that decide on the model's bytes: folds follow the split's method."""
    return {
        "train": config.train.model_dump(exclude={"threads", "task", "positive"}),
        "split": config.split.model_dump(include={"method"}),
    }


def _fit(workshop: Workshop, split: Version, contract: Contract, key: str) -> Version:
    from lightmodel.stages.train import Recipe, train

    learner = workshop.learner()
    checkpoints = workshop.checkpoints(key)
    recipe = Recipe(
        workshop.config.train, workshop.config.split, learner, checkpoints, workshop.progress
    )
    table = read_side(workshop, split, "train", contract)
    trained = train(table, contract, recipe)
    version = _publish(workshop, split, learner, trained, key)
    checkpoints.clear()
    return version


def _publish(
    workshop: Workshop, split: Version, learner: Learner, trained: "Trained", key: str
) -> Version:
    bundle = _bundle(split, learner, trained)
    libraries = LIBRARIES[learner.runtime]
    with workshop.models.draft() as draft:
        draft.write(codec.MODEL, codec.dump(bundle))
        for name in ("contract.json", "profile.json", "checks.json"):
            draft.write(name, split.read(name))
        for name, data in workshop.compiled(bundle["runtime"], bundle["model"]).items():
            draft.write(name, data)
        _write_findings(draft, trained)
        draft.write("requirements.txt", requirements(libraries).encode())
        draft.write("python_env.yaml", python_environment().encode())
        return draft.publish(
            inputs=_inputs(split),
            parameters={
                **_parameters(workshop.config),
                "split": bundle["split"],
                "learner": dict(trained.parameters),
            },
            rows=dict(split.manifest.rows),
            metrics=trained.metrics,
            contract=bundle["contract"],
            task=bundle["contract"]["task"],
            threshold=bundle["threshold"],
            runtime=bundle["runtime"],
            samples=bundle["samples"],
            libraries=versions(libraries),
            commit=commit(),
            fingerprint=key,
        )


def _bundle(split: Version, learner: Learner, trained: "Trained") -> dict[str, Any]:
    """Give what goes into model.joblib: all that serving and judging need, and nothing of this run."""
    return {
        "format": 1,
        "runtime": learner.runtime,
        "contract": split.manifest.contract,
        "threshold": trained.threshold,
        "split": dict(split.manifest.parameters["split"]),
        "prior": trained.prior,
        "samples": tuple(asdict(sample) for sample in trained.samples),
        "model": trained.payload,
    }


def _inputs(split: Version) -> dict[str, Any]:
    return {
        "split": split.name,
        "train_sha256": split.manifest.files[side_file(split, "train")].sha256,
        **{name: split.manifest.inputs[name] for name in ("source", "sha256")},
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


def _fold_table(trained: "Trained") -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    names = list(trained.folds[0].metrics)
    rows.writerow(["fold", "rows", "rounds", *names])
    for fold in trained.folds:
        rows.writerow([fold.fold, fold.rows, fold.rounds, *(fold.metrics[name] for name in names)])
    return text.getvalue().encode()
