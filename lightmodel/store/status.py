"""The status of a version: what testing and people have decided on it."""

from typing import Literal

from lightmodel.errors import LightModelError
from lightmodel.store.verdict import StoredVerdict, read_verdict
from lightmodel.store.versions import Store, Version

Status = Literal["approved", "rejected", "withdrawn", "untested", "damaged"]


def status_of(verdict: StoredVerdict | None) -> Status:
    """Return the status of a version with this verdict."""
    if verdict is None:
        return "untested"
    if verdict.passed:
        return "approved"
    return "withdrawn" if verdict.is_withdrawn else "rejected"


def tested(version: Version, store: Store) -> tuple[Status, StoredVerdict | None]:
    """Return status and verdict of a version; the verdict of a damaged one is None."""
    try:
        verdict = read_verdict(version, store.signer)
    except LightModelError:
        return "damaged", None
    return status_of(verdict), verdict
