"""Roll back to an earlier model, remove old ones, pack one for an image, and adopt a stray one."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lightmodel.errors import ArtefactCorrupt, ArtefactMissing, ChangeRefused, ConfigError
from lightmodel.files import translate_os_errors
from lightmodel.store import codec
from lightmodel.store.manifest import json_bytes
from lightmodel.store.provenance import runtime_of_estimator
from lightmodel.store.verdict import (
    Note,
    StoredVerdict,
    keep_retired,
    newest_approved,
    promote,
    read_verdict,
    withdraw,
)
from lightmodel.store.versions import MANIFEST, Store, Version

_NO_NOTE = Note()


@dataclass(frozen=True)
class RollbackResult:
    """The version that was withdrawn and the one that is served now ("" for none)."""

    withdrawn: str
    served: str


def rollback(
    store: Store,
    name: str | None = None,
    *,
    force: bool = False,
    reason: str = "withdrawn by rollback",
    note: Note = _NO_NOTE,
) -> RollbackResult:
    """Withdraw a model for a reason, by default the newest approved one; nothing is deleted.

    Raises:
        ArtefactMissing: there is no such model.
        ChangeRefused: it is not approved, or no approved one would be left and `force` is off.
    """
    version, verdict = _tested(store, name)
    if verdict is None or not verdict.passed:
        raise ChangeRefused(f"{version.name} is not approved, so there is nothing to withdraw")
    try:
        successor = newest_approved(store, besides={version.name}).name
    except ArtefactMissing:
        if not force:
            raise ChangeRefused(
                f"without {version.name} no approved model would be left",
                hint="`--force` withdraws it anyway; then no model can be served",
            ) from None
        successor = ""
    withdraw(version, verdict, store.signer, reason, note)
    return RollbackResult(version.name, successor)


def promote_version(
    store: Store, name: str | None = None, note: Note = _NO_NOTE, *, again: bool = False
) -> str:
    """Let an approved model answer all, by default the newest one; return its name.

    With `again`, one that was withdrawn is approved again.

    Raises:
        ArtefactMissing: there is no such model.
        ChangeRefused: it is not approved.
    """
    version, verdict = _tested(store, name)
    if verdict is None or not (verdict.passed or (again and verdict.is_withdrawn)):
        raise ChangeRefused(
            f"{version.name} is not approved, so there is nothing to promote",
            hint="`python run.py testing` approves what passes the quality gate",
        )
    if not (verdict.passed and verdict.promoted):
        promote(version, verdict, store.signer, note)
    return version.name


def _tested(store: Store, name: str | None) -> tuple[Version, StoredVerdict | None]:
    """Return a model, by default the newest approved one, and its verdict."""
    version = store.get(name) if name else newest_approved(store)
    return version, read_verdict(version, store.signer)


def retire(store: Store, keep: int) -> list[str]:
    """Remove all but the newest `keep` versions, never the one that is served; return their names."""
    served = _served(store)
    old = [version for version in store.versions()[keep:] if version.name != served]
    for version in old:
        _remove(version)
    store.sweep()
    return [version.name for version in old]


def retire_version(store: Store, name: str, note: Note = _NO_NOTE, besides: str = "") -> str:
    """Remove one version, never the one that is served; return its name.

    Its verdict is kept with the note in the folder `retired`.

    Args:
        store: the store of models.
        name: of the version, or a unique beginning of it.
        note: who removes it, and why.
        besides: another version that is in use, and must not be removed.

    Raises:
        ArtefactMissing: there is no such model.
        ChangeRefused: it is in use.
    """
    version = store.get(name)
    if version.name in {_served(store), besides}:
        raise ChangeRefused(
            f"{version.name} is in use, so it cannot be removed",
            hint="roll it back first: then the version before it answers",
        )
    with suppress(ArtefactCorrupt):  # a damaged verdict is worth nothing
        if verdict := read_verdict(version, store.signer):
            keep_retired(store, version, verdict, note)
    _remove(version)
    return version.name


def _served(store: Store) -> str:
    """Return the name of the newest approved model, "" if there is none."""
    try:
        return newest_approved(store).name
    except ArtefactMissing:
        return ""


def _remove(version: Version) -> None:
    with translate_os_errors(version.folder / MANIFEST):
        (version.folder / MANIFEST).unlink(missing_ok=True)  # first: now no reader sees it
    shutil.rmtree(version.folder, ignore_errors=True)


def pack(store: Store, version: Version, folder: Path) -> None:
    """Copy a version to a folder, and remove earlier copies from it.

    Raises:
        ArtefactCorrupt: the copy does not match the manifest.
    """
    target = folder / version.name
    copies = Store(folder, store.kind, store.signer)
    with translate_os_errors(target):
        for earlier in copies.names():
            shutil.rmtree(folder / earlier)
        shutil.copytree(version.folder, target)
    copies.verify(copies.get(version.name))


def adopt(models: Store, splits: Store, file: Path) -> Version:
    """Publish a stray model file of this project, one outside any version, as an untested candidate.

    Unpickling runs code, and no manifest vouches for a stray file: the caller does.
    The candidate belongs to the newest split, on which it is to be tested.

    Raises:
        ArtefactCorrupt: the file is not a model of this project.
        ArtefactMissing: there is no split to test it on.
        ConfigError: it needs a train.module, which the file does not contain.
    """
    data = file.read_bytes()
    bundle = codec.with_defaults(codec.unpickle(data, file.name))
    if bundle["steps"]["module"]:
        raise ConfigError(
            f"{file.name} adds features by a train.module, which the file does not contain",
            hint="train it again, or restore its whole folder under model/",
        )
    split = splits.newest()
    metrics = {
        "out_of_fold": {},
        "threshold": bundle["threshold"],
        "prior": bundle["prior"],
        "folds": [],
    }
    with models.draft() as draft:
        draft.write(codec.MODEL, data)
        draft.write("contract.json", json_bytes(bundle["contract"]))
        draft.write("metrics.json", json_bytes(metrics))
        for name in ("profile.json", "checks.json"):
            draft.write(name, split.read(name))
        return draft.publish(
            inputs={**split.manifest.inputs, "split": split.name, "adopted": file.name},
            parameters={"split": bundle["split"]},
            rows=dict(split.manifest.rows),
            contract=bundle["contract"],
            task=bundle["contract"]["task"],
            threshold=bundle["threshold"],
            runtime=bundle.get("runtime") or runtime_of_estimator(bundle["learner"]),
            learner=bundle["learner"],
            steps=tuple(name for name, step in bundle["steps"].items() if step),
            samples=tuple(bundle["samples"]),
            fingerprint="adopted",
        )
