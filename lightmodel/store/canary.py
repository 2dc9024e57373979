"""Which approved versions answer: all by the newest, or a share of the ids until it is promoted.

A version counts as a canary while `serve.canary` is set, nobody has promoted it, and another approved
version was there before. Nothing but its verdict says so: see `verdict.promote`.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from lightmodel.errors import ArtefactMissing
from lightmodel.store.verdict import newest_approved, read_verdict
from lightmodel.store.versions import Store, Version

_HASH_BYTES = 8
_FEW_FAILURES = 5  # rows: an accident is no reason to withdraw a version
_MOST_FAILURES = 0.01  # as a share of a canary's rows


@dataclass(frozen=True)
class ServedVersions:
    """The versions that answer: `stable`, and perhaps a newer one for a share of the ids."""

    stable: Version
    canary: Version | None = None


def served_versions(
    models: Store, share: float, besides: Collection[str] = frozenset()
) -> ServedVersions:
    """Return the versions that answer if a canary gets this share; `besides` names models to skip.

    Raises:
        ArtefactMissing: no model is approved.
        ArtefactCorrupt: the folder cannot be read.
    """
    newest = newest_approved(models, besides=besides)
    before = None if not share or _is_promoted(models, newest) else _before(models, newest, besides)
    return ServedVersions(before, newest) if before else ServedVersions(newest)


def _before(models: Store, newest: Version, besides: Collection[str]) -> Version | None:
    """Return the newest promoted version before another one, or else the newest approved one."""
    skipped, approved = {*besides, newest.name}, list[Version]()
    while True:
        try:
            version = newest_approved(models, besides=skipped)
        except ArtefactMissing:
            return approved[0] if approved else None
        if _is_promoted(models, version):
            return version
        approved.append(version)
        skipped.add(version.name)


def _is_promoted(models: Store, version: Version) -> bool:
    verdict = read_verdict(version, models.signer)
    return verdict is not None and verdict.promoted


def is_canarys(key: str, version: str, share: float) -> bool:
    """Return whether a canary answers an id: the same in every process, and other ids for each version."""
    digest = hashlib.blake2b(f"{version}/{key}".encode(), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest) < int(share * (1 << 8 * _HASH_BYTES))


def fails_too_often(failed: int, rows: int) -> bool:
    """Return whether a canary that could not score `failed` of its `rows` is to be withdrawn."""
    return failed >= _FEW_FAILURES and failed > _MOST_FAILURES * rows
