"""Copies of versions, so that a test need not train."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType

from lightmodel.contract.results import Verdict
from lightmodel.store.manifest import Manifest, Signer
from lightmodel.store.verdict import REPORT, read_verdict, write_verdict
from lightmodel.store.versions import Store

_OWN = {"kind", "version", "created", "files", "signature", "format"}


def published_again(
    root: Path,
    source: str,
    *,
    approved: bool = True,
    compiled: bool = True,
    files: Mapping[str, bytes] = MappingProxyType({}),
    **changes: object,
) -> str:
    """Publish a copy of a version, approve it if asked, and return its name.

    Without `compiled` its compiled model is left out; `files` come on top, `changes` are to the manifest.
    """
    signer = Signer(None)
    store = Store(root / "model", "model", signer)
    version = store.get(source)
    with store.draft() as draft:
        for name in version.manifest.files:
            if compiled or not name.startswith("compiled."):
                draft.write(name, version.read(name))
        for name, data in files.items():
            draft.write(name, data)
        facts = {
            item.name: getattr(version.manifest, item.name)
            for item in fields(Manifest)
            if item.init and item.name not in _OWN
        }
        fresh = draft.publish(**{**facts, **changes})
    if approved:
        stored = read_verdict(version, signer)
        assert stored is not None
        verdict = Verdict(True, stored.metric, stored.value or 0.0, stored.reasons)
        write_verdict(fresh, verdict, (version.folder / REPORT).read_bytes(), signer)
    return fresh.name
