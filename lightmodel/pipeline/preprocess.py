"""Run `preprocess`: turn the table that data.source names into a split."""

import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lightmodel.config import Config
from lightmodel.config.threads import threads_of
from lightmodel.pipeline.context import Outcome, Pins, RunContext, contract_of
from lightmodel.pipeline.feedback import MODULE as FEEDBACK_MODULE
from lightmodel.pipeline.feedback import feedback_sha256, join_feedback
from lightmodel.pipeline.reuse import Reuse, find_reusable
from lightmodel.sources.base import FetchResult
from lightmodel.sources.factory import fetch_table
from lightmodel.store.manifest import json_bytes
from lightmodel.store.provenance import commit, fingerprint, versions
from lightmodel.store.versions import Version

if TYPE_CHECKING:  # pandas and scipy take seconds to import, often for nothing
    from lightmodel.training.drift import AcceptedTable
    from lightmodel.training.preprocess import PreprocessingResult

logger = logging.getLogger(__name__)

MODULES = ("lightmodel.training.preprocess", "lightmodel.tables.reading")
LIBRARIES = ("numpy", "pandas", "pyarrow", "scipy")
_NOT_IN_FINGERPRINT = (
    *("source", "mirrors", "sha256", "refresh", "timeout_s", "retries", "contract", "feedback"),
)


def run_preprocess(context: RunContext, _: Pins) -> Outcome:
    """Fetch, check and split the table, or reuse the split of the same table and settings."""
    config = context.config
    if context.dry_run:
        return Outcome("preprocess", "would look", f"at {config.data.source}", "")
    fetched = fetch_table(config, context.progress)
    approved = None if config.data.contract == "new" else context.served()
    key = _key(config, fetched.sha256, feedback_sha256(config))
    reuse = _reusable(context, key, approved)
    split = reuse.version or make_split(
        context, fetched, approved, key, feedback=config.data.feedback
    )
    did = "reused" if reuse.version else "made"
    return Outcome("preprocess", did, reuse.why, split.name, sum(split.manifest.rows.values()))


def current_split(context: RunContext) -> Version:
    """Return the split of the table and settings in force, which is made if there is none."""
    return context.splits.get(run_preprocess(context, {}).version)


def _key(config: Config, table: str, feedback: str) -> str:
    """Return the fingerprint of the split of a table and of labelled rows, given by their hashes."""
    inputs = {"sha256": table, **({"feedback": feedback} if feedback else {})}
    modules = (*MODULES, *([FEEDBACK_MODULE] if feedback else []))
    return fingerprint(inputs, split_parameters(config), modules, LIBRARIES)


def make_split(
    context: RunContext,
    fetched: FetchResult,
    approved: Version | None,
    key: str,
    *,
    feedback: bool = False,
) -> Version:
    """Read a table, check it, and split it; `key` is the split's fingerprint.

    The contract in force is that of the approved model; without one, a new contract is inferred. With
    `feedback`, labelled rows of the prediction log are added to the training rows.
    """
    from lightmodel.tables.reading import read_source
    from lightmodel.training.preprocess import PreprocessOptions, preprocess

    config = context.config
    options = PreprocessOptions(config.data, config.split, config.train)
    read = read_source(fetched.paths, config.data, work=config.store.work)
    result = preprocess(read.table, options, accepted_table(approved), read.dialect)
    for warning in result.warnings:
        logger.warning("%s", warning)
    added: dict[str, Any] = {}
    if feedback:  # rows may have come since the fingerprint was taken
        result, sha256, rows = join_feedback(config, result)
        key, added = _key(config, fetched.sha256, sha256), {"sha256": sha256, "rows": rows}
    inputs = {
        "source": fetched.uri,
        "sha256": fetched.sha256,
        "size": fetched.size,
        "etag": fetched.etag,
        "held_against": approved.name if approved else None,
        **({"feedback": added} if added else {}),
    }
    return _publish(context, result, inputs, key)


def accepted_table(approved: Version | None) -> "AcceptedTable | None":
    """Return contract and profile of the approved model's table; None without one."""
    from lightmodel.contract.profile import Profile
    from lightmodel.training.drift import AcceptedTable

    if approved is None or approved.manifest.contract is None:
        return None
    profile = Profile.from_dict(json.loads(approved.read("profile.json")))
    return AcceptedTable(contract_of(approved), profile)


def split_parameters(config: Config) -> dict[str, Any]:
    """Return the settings that determine the split's bytes."""
    return {
        "data": config.data.model_dump(exclude=set(_NOT_IN_FINGERPRINT)),
        "split": config.split.model_dump(),
        "train": config.train.model_dump(include={"task", "positive", "folds", "weight"}),
    }


def _reusable(context: RunContext, key: str, approved: Version | None) -> Reuse:
    """Find a split that was validated against the approved model, or that trained this model."""
    if context.force:
        return Reuse(None, "forced")
    name = approved.name if approved else None
    parent = approved.manifest.inputs.get("split") if approved else None

    def suits(split: Version) -> bool:
        return bool(split.name == parent or split.manifest.inputs.get("held_against") == name)

    return find_reusable(context.splits, key, suits)


def _publish(
    context: RunContext,
    result: "PreprocessingResult",
    inputs: dict[str, Any],
    key: str,
) -> Version:
    from lightmodel.tables.split_files import write_table

    config, contract = context.config, result.contract.to_dict()
    suffix = config.data.format
    with context.splits.draft() as draft:
        for name, table in (("train", result.train), ("test", result.test)):
            with draft.path(f"{name}.{suffix}") as path:
                write_table(table, path, suffix, threads_of(config))
        draft.write("contract.json", json_bytes(contract))
        draft.write("profile.json", json_bytes(result.profile.to_dict()))
        drift = [asdict(item) for item in result.drift]
        checks = {"drift": drift, "warnings": result.warnings, "leaks": result.leaks}
        draft.write("checks.json", json_bytes(checks))
        return draft.publish(
            inputs=inputs,
            parameters=split_parameters(config),
            rows={"train": result.train.num_rows, "test": result.test.num_rows},
            contract=contract,
            task=contract["task"],
            libraries=versions(LIBRARIES),
            commit=commit(),
            reason=context.reason,
            fingerprint=key,
        )
