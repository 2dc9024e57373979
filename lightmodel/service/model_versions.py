"""What the service says about each version of its store: verdict, metrics, data, curves and contract."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import orjson

from lightmodel.config import Config
from lightmodel.contract.columns import Contract
from lightmodel.contract.publication import Published, published
from lightmodel.errors import ArtefactMissing, LightModelError
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.scoring.model_store import profile_of
from lightmodel.store.canary import served_versions
from lightmodel.store.manifest import Manifest
from lightmodel.store.status import Status, tested
from lightmodel.store.verdict import StoredVerdict
from lightmodel.store.versions import Store, Version

logger = logging.getLogger(__name__)

_IMPORTANCE = "feature_importance_gain.json"
_RESULTS = "metrics.json"
_CHECKS = "checks.json"


@dataclass(frozen=True)
class Roles:
    """The names of the versions that are in use; "" where there is none.

    Attributes:
        served: answers all ids, or those that the canary leaves.
        canary: answers a share of the ids.
        challenger: scores the same rows without answering.
    """

    served: str = ""
    canary: str = ""
    challenger: str = ""

    def of(self, name: str) -> str:
        """Return the role of a version; "" if it is not in use."""
        return next((role for role, used in vars(self).items() if used == name), "")


def roles_of(store: Store, config: Config, models: ModelManager) -> Roles:
    """Return the versions that are in use by the store as it is now.

    Raises:
        ArtefactCorrupt: the store cannot be read.
    """
    try:
        served = served_versions(store, config.serve.canary)
    except ArtefactMissing:
        return Roles()
    canary = served.canary.name if served.canary else ""
    challenger = None
    if config.serve.shadow and models.loaded:
        with suppress(LightModelError):  # the log of the service has it
            challenger = models.store.challenger(models.loaded)
    return Roles(served.stable.name, canary, challenger.name if challenger else "")


def summaries(store: Store, roles: Roles) -> Iterator[dict[str, Any]]:
    """Yield a summary of each version, newest first; a damaged one has an error instead."""
    for name in store.names():
        try:
            version = store.open(name)
        except ArtefactMissing:
            continue  # it is being written, or was retired
        except LightModelError as error:
            yield {"version": name, "status": "damaged", "error": error.message}
        else:
            yield summary_of(version, store, roles)


def summary_of(version: Version, store: Store, roles: Roles) -> dict[str, Any]:
    """Return what a list of versions says about one."""
    manifest, (status, verdict) = version.manifest, tested(version, store)
    task = manifest.task or {}
    return {
        "version": version.name,
        "status": status,
        "role": roles.of(version.name),
        "created": manifest.created,
        "commit": manifest.commit,
        "reason": manifest.reason,
        "learner": manifest.learner_name,
        "task": task.get("kind"),
        "target": _target(manifest),
        "rows": dict(manifest.rows),
        "data": _data(manifest),
        "out_of_fold": dict(manifest.metrics),
        **_judged(status, verdict),
    }


def _judged(status: Status, verdict: StoredVerdict | None) -> dict[str, Any]:
    if verdict is None:
        return {"metric": None, "metrics": {}, "reasons": [], "notes": [], "has_report": False}
    intervals = verdict.evaluation.get("intervals", {})
    return {
        "metric": verdict.metric,
        "metrics": {
            name: {"value": value, **_interval(intervals.get(name))}
            for name, value in verdict.metrics.items()
        },
        "reasons": list(verdict.reasons),
        "tested": verdict.created,
        "notes": list(verdict.notes),
        "has_report": status != "damaged" and verdict.report_sha256 is not None,
    }


def _interval(ends: list[float] | None) -> dict[str, float]:
    return {"low": ends[0], "high": ends[1]} if ends else {}


def _target(manifest: Manifest) -> str | None:
    columns = (manifest.contract or {}).get("columns", ())
    return next((one["name"] for one in columns if one.get("role") == "target"), None)


def _data(manifest: Manifest) -> dict[str, Any]:
    return {"source": shown_source(manifest), "sha256": manifest.inputs.get("sha256")}


def shown_source(manifest: Manifest) -> str:
    """Return the name of the table without folders and addresses."""
    return str(manifest.inputs.get("source", "")).rstrip("/").rpartition("/")[2]


def details_of(version: Version, store: Store, roles: Roles) -> dict[str, Any]:
    """Return all that is known of a version; a damaged file is left out, and logged."""
    manifest, (_, verdict) = version.manifest, tested(version, store)
    results = _payload(version, _RESULTS)
    evaluation = verdict.evaluation if verdict else {}
    return {
        **summary_of(version, store, roles),
        "settings": {**_preprocess(manifest), **manifest.parameters},
        "contract": _published_contract(version),
        "threshold": manifest.threshold,
        "libraries": dict(manifest.libraries),
        "split": manifest.inputs.get("split"),
        "folds": results.get("folds", []),
        "warnings": [*_payload(version, _CHECKS).get("warnings", ()), *results.get("warnings", ())],
        "importance": _payload(version, _IMPORTANCE),
        "evaluation": dict(evaluation),
        "pictures": pictures_of(version),
    }


def pictures_of(version: Version) -> list[str]:
    """Return the names of a version's pictures."""
    return sorted(name for name in version.manifest.files if name.endswith(".png"))


def _preprocess(manifest: Manifest) -> Mapping[str, Any]:
    settings: Mapping[str, Any] = manifest.inputs.get("preprocess") or {}
    return settings


def _payload(version: Version, name: str) -> dict[str, Any]:
    if name not in version.manifest.files:
        return {}
    try:
        content: dict[str, Any] = orjson.loads(version.read(name))
    except (LightModelError, ValueError) as error:
        logger.warning("%s: %s is left out: %s", version.name, name, error)
        return {}
    return content


def _published_contract(version: Version) -> dict[str, Any] | None:
    """Return the contract, of which only published categories are shown."""
    contract = version.manifest.contract
    if not contract:
        return None
    try:
        profile = profile_of(version)
    except LightModelError as error:
        logger.warning("%s: no category is shown: %s", version.name, error.message)
        profile = {}
    return published(Contract.from_dict(contract), profile).contract(contract)


def published_manifest(manifest: Manifest, shown: Published, contract: Contract) -> Manifest:
    """Return a manifest without folders, and with published categories only; samples are as they were."""
    task = contract.task.to_dict()
    if (positive := contract.task.positive) is not None:
        task["positive"] = positive
    return replace(
        manifest,
        task=task,
        inputs={**manifest.inputs, "source": shown_source(manifest)},
        contract=shown.contract(manifest.contract or {"columns": ()}),
    )
