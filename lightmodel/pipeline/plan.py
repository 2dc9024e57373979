"""Plan a run: which stages would run after the settings were changed, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lightmodel.config import Config
from lightmodel.pipeline.context import Outcome, RunContext
from lightmodel.pipeline.preprocess import split_parameters
from lightmodel.pipeline.reuse import model_parameters
from lightmodel.pipeline.testing import run_testing
from lightmodel.pipeline.train import run_train
from lightmodel.progress import SilentProgress

_Settings = Mapping[str, Mapping[str, Any]]  # by section and key
# What decides which table is read; it is in no fingerprint, for only the table's content is.
_SOURCE = ("source", "mirrors", "sha256", "contract", "feedback")


@dataclass(frozen=True)
class StagePlan:
    """Whether a stage would run, and why; a stage that does not is reused."""

    stage: str
    runs: bool
    why: str


def planned(before: Config, after: Config) -> list[StagePlan]:
    """Return what a run would do by the settings `after`, if the table is as it was by `before`.

    Raises:
        ConfigError: train.module cannot be read.
        ArtefactCorrupt: the store cannot be read.
    """
    context = RunContext(after, SilentProgress(), dry_run=True)
    split_changes = changed_settings(_split_settings(before), _split_settings(after))
    if after.store.root != before.store.root:
        split_changes = ["store.root", *split_changes]
    if split_changes or not context.splits.versions():
        why = _because(split_changes) or "there is no split yet"
        return [
            StagePlan("preprocess", True, why),
            StagePlan("train", True, "if the split differs from the last one"),
            StagePlan("testing", True, "after train"),
        ]
    first = StagePlan("preprocess", False, "unless the table itself has changed")
    return [first, *_later(context, before)]


def _later(context: RunContext, before: Config) -> Iterator[StagePlan]:
    trained = run_train(context, {})
    yield _plan(
        trained, changed_settings(model_parameters(before), model_parameters(context.config))
    )
    if not trained.version:
        yield StagePlan("testing", True, "after train")
        return
    tested = run_testing(context, {"train": trained.version})
    yield _plan(tested, changed_settings(_gate_settings(before), _gate_settings(context.config)))


def _plan(outcome: Outcome, changes: list[str]) -> StagePlan:
    runs = outcome.did != "reused"
    return StagePlan(outcome.stage, runs, (_because(changes) if runs else "") or outcome.why)


def _split_settings(config: Config) -> _Settings:
    sections = {name: dict(values) for name, values in split_parameters(config).items()}
    sections["data"] |= config.data.model_dump(include=set(_SOURCE))
    return sections


def _gate_settings(config: Config) -> _Settings:
    tolerance = config.serve.model_dump(include={"on_missing", "on_out_of_range"})
    return {"gate": config.gate.model_dump(), "serve": tolerance}


def changed_settings(before: _Settings, after: _Settings) -> list[str]:
    """Return the full names of the settings that differ."""
    return [
        f"{section}.{key}"
        for section, values in after.items()
        for key, value in values.items()
        if before.get(section, {}).get(key) != value
    ]


def _because(changes: list[str]) -> str:
    """Return "train.folds and gate.minimum change"; "" without a change."""
    if not changes:
        return ""
    named = " and ".join(filter(None, [", ".join(changes[:-1]), changes[-1]]))
    return f"{named} {'changes' if len(changes) == 1 else 'change'}"
