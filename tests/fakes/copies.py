"""Copies of a project's model under another version's name, so that a test need not train."""

import shutil

import orjson

from lightmodel.contract.results import Verdict
from lightmodel.store.manifest import Manifest, Signer
from lightmodel.store.verdict import write_verdict
from lightmodel.store.versions import Store, Version
from tests.fakes.project import Project


def store_of(project: Project) -> Store:
    """Return the store of a project's models."""
    return Store(project.folder / "model", "model", Signer(None))


def copy_model(project: Project, passed: bool | None) -> Version:
    """Publish the newest model again: approved, rejected (False) or untested (None)."""
    store = store_of(project)
    newest = store.newest()
    with store.draft() as draft:
        name = draft.name
    folder = store.folder / name
    shutil.copytree(newest.folder, folder)
    (folder / "verdict.json").unlink(missing_ok=True)
    content = orjson.loads((newest.folder / "manifest.json").read_bytes())
    data = orjson.dumps({**content, "version": name})
    (folder / "manifest.json").write_bytes(data)
    version = Version(name, folder, Manifest.from_json(data, name))
    if passed is not None:
        verdict = Verdict(passed, "auc", 0.8, ("because",))
        write_verdict(version, verdict, b"", store.signer, metrics={"auc": 0.8})
    return version
