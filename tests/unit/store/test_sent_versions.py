"""A version that was sent is the same in another store, with that store's signature."""

import pickle
from pathlib import Path

import pytest

from lightmodel.errors import ArtefactCorrupt
from lightmodel.store.manifest import Signer
from lightmodel.store.sent_versions import SentVersion
from lightmodel.store.versions import Store
from tests.unit.store.approved_models import model


def test_a_sent_version_has_the_same_files_and_the_stores_own_signature(tmp_path: Path) -> None:
    version = model()
    sent: SentVersion = pickle.loads(pickle.dumps(SentVersion.of(version)))
    signed = Store(tmp_path / "other", "model", Signer(b"k" * 40))
    sent.write(signed)
    received = signed.get(version.name)
    signed.verify(received)
    assert received.manifest.signature is not None
    assert {name: received.read(name) for name in received.manifest.files} == sent.files


def test_only_the_named_files_are_sent(tmp_path: Path) -> None:
    version = model()
    store = Store(tmp_path / "other", "model", Signer(None))
    SentVersion.of(version, ["model.joblib"]).write(store)
    assert store.get(version.name).read("model.joblib") == version.read("model.joblib")
    names = {path.name for path in store.get(version.name).folder.iterdir()}
    assert names == {"model.joblib", "manifest.json"}


def test_a_damaged_version_is_not_sent() -> None:
    version = model()
    (version.folder / "model.joblib").write_bytes(b"other")
    with pytest.raises(ArtefactCorrupt, match="does not match the manifest"):
        SentVersion.of(version)
