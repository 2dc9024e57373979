"""Run `preprocess`: the table that the configuration names becomes a split."""

import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lightmodel.config import Config
from lightmodel.contract.columns import Contract
from lightmodel.contract.profile import Profile
from lightmodel.errors import ArtefactMissing
from lightmodel.pipeline.context import Outcome, Pins, Reuse, Workshop, find_reusable
from lightmodel.sources.base import Fetched
from lightmodel.store.fingerprint import fingerprint, versions
from lightmodel.store.manifest import json_bytes
from lightmodel.store.provenance import commit
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import Version

if (
    TYPE_CHECKING
):  # imported when it runs: pandas and scipy take seconds, and often nothing is to do
    from lightmodel.training.preprocess import Accepted, Preprocessed

logger = logging.getLogger(__name__)

MODULES = ("lightmodel.training.preprocess", "lightmodel.tables.reading")
LIBRARIES = ("numpy", "pandas", "pyarrow", "scipy")
_NOT_READING = ("source", "mirrors", "sha256", "refresh", "timeout_s", "retries", "contract")


def run_preprocess(workshop: Workshop, _: Pins) -> Outcome:
    """Fetch, check and split the table, or find the split of the same table and settings."""
    if workshop.dry_run:
        return Outcome("preprocess", "would look", f"at {workshop.config.data.source}", "")
    fetched = workshop.fetch()
    approved = _approved(workshop)
    key = fingerprint({"sha256": fetched.sha256}, _parameters(workshop.config), MODULES, LIBRARIES)
    reuse = _reusable(workshop, key, approved)
    if reuse.version:
        rows = sum(reuse.version.manifest.rows.values())
        return Outcome("preprocess", "reused", reuse.why, reuse.version.name, rows)
    version = make_split(workshop, fetched, approved, key)
    return Outcome(
        "preprocess", "made", reuse.why, version.name, sum(version.manifest.rows.values())
    )


def make_split(workshop: Workshop, fetched: Fetched, approved: Version | None, key: str) -> Version:
    """Read a table, hold it against the contract of the model that is approved, and split it."""
    return _publish(workshop, _split(workshop, fetched, approved), fetched, approved, key)


def _split(workshop: Workshop, fetched: Fetched, approved: Version | None) -> "Preprocessed":
    from lightmodel.training.preprocess import Choices, preprocess

    choices = Choices(workshop.config.data, workshop.config.split, workshop.config.train)
    read = workshop.read(fetched)
    result = preprocess(read.table, choices, _accepted(approved), read.dialect)
    for warning in result.warnings:
        logger.warning("%s", warning)
    return result


def _approved(workshop: Workshop) -> Version | None:
    if workshop.config.data.contract == "new":
        return None
    try:
        return newest_approved(workshop.models, workshop.signer)
    except ArtefactMissing:
        return None


def _accepted(approved: Version | None) -> "Accepted | None":
    from lightmodel.training.preprocess import Accepted

    if approved is None or approved.manifest.contract is None:
        return None
    profile = Profile.from_dict(json.loads(approved.read("profile.json")))
    return Accepted(Contract.from_dict(approved.manifest.contract), profile)


def _parameters(config: Config) -> dict[str, Any]:
    """Give the settings that decide on the split's bytes."""
    return {
        "data": config.data.model_dump(exclude=set(_NOT_READING)),
        "split": config.split.model_dump(),
        "train": config.train.model_dump(include={"task", "positive", "folds"}),
    }


def _reusable(workshop: Workshop, key: str, approved: Version | None) -> Reuse:
    """Look for a split that was held against the model approved now, or that this one came from."""
    if workshop.force:
        return Reuse(None, "forced")
    name = approved.name if approved else None
    parent = approved.manifest.inputs.get("split") if approved else None

    def suits(split: Version) -> bool:
        return bool(split.name == parent or split.manifest.inputs.get("held_against") == name)

    return find_reusable(workshop.splits, key, suits)


def _publish(
    workshop: Workshop, result: "Preprocessed", fetched: Fetched, approved: Version | None, key: str
) -> Version:
    with workshop.splits.draft() as draft:
        for name, table in (("train", result.train), ("test", result.test)):
            with draft.path(f"{name}.{workshop.split_files.suffix}") as path:
                workshop.split_files.write(table, path)
        draft.write("contract.json", json_bytes(result.contract.to_dict()))
        draft.write("profile.json", json_bytes(result.profile.to_dict()))
        drift = [asdict(item) for item in result.drift]
        checks = {"drift": drift, "warnings": result.warnings}
        draft.write("checks.json", json_bytes(checks))
        return draft.publish(
            inputs={
                "source": fetched.uri,
                "sha256": fetched.sha256,
                "size": fetched.size,
                "etag": fetched.etag,
                "held_against": approved.name if approved else None,
            },
            parameters=_parameters(workshop.config),
            rows={"train": result.train.num_rows, "test": result.test.num_rows},
            contract=result.contract.to_dict(),
            task=result.contract.task.to_dict(),
            libraries=versions(LIBRARIES),
            commit=commit(),
            fingerprint=key,
        )
