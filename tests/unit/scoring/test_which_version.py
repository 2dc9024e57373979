"""Which version is a challenger, and which a canary."""

from pathlib import Path

import pytest

from lightmodel.config import load
from lightmodel.contract.results import Verdict
from lightmodel.errors import ArtefactCorrupt, ArtefactMissing
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.store.verdict import read_verdict, withdraw, write_verdict
from tests.fakes.copies import copy_model, store_of
from tests.fakes.project import Project


def view(folder: Path, *sets: str) -> ModelStoreView:
    return ModelStoreView(load(folder / "config.toml", [f"store.root={folder}", *sets], {}).config)


def test_the_challenger_is_the_newest_version_that_is_neither_approved_nor_withdrawn(
    approved: Project,
) -> None:
    shadowed = view(approved.folder, "serve.shadow=challenger")
    copy_model(approved, False)  # older than the next approved one
    copy_model(approved, True)
    served = shadowed.newest(None)
    assert shadowed.challenger(served) is None
    rejected = copy_model(approved, False)
    found = shadowed.challenger(served)
    assert found is not None
    assert found.name == rejected.name
    untested = copy_model(approved, None)
    found = shadowed.challenger(served)
    assert found is not None
    assert found.name == untested.name
    assert shadowed.open(found).version == untested.name
    verdict = write_verdict(
        untested, Verdict(True, "auc", 0.8, ("because",)), b"", store_of(approved).signer
    )
    withdraw(untested, verdict, store_of(approved).signer)
    found = shadowed.challenger(served)
    assert found is not None
    assert found.name == rejected.name


def test_a_named_version_may_be_any_but_the_served_one(approved: Project) -> None:
    older = approved.models()[0].name
    served_version = copy_model(approved, True)
    shadowed = view(approved.folder, f"serve.shadow={older}")
    served = shadowed.newest(None)
    found = shadowed.challenger(served)
    assert found is not None
    assert found.name == older
    assert view(approved.folder, f"serve.shadow={served_version.name}").challenger(served) is None
    with pytest.raises(ArtefactMissing, match="there is no model '2031'"):
        view(approved.folder, "serve.shadow=2031").challenger(served)


def test_a_damaged_challenger_is_refused_before_anything_is_unpickled(approved: Project) -> None:
    shadowed = view(approved.folder, "serve.shadow=challenger")
    served = shadowed.newest(None)
    (copy_model(approved, False).folder / "model.joblib").write_bytes(b"?")
    with pytest.raises(ArtefactCorrupt, match=r"model\.joblib does not match"):
        shadowed.challenger(served)


def test_a_canary_is_only_there_with_a_share_and_the_version_before_is_served(
    approved: Project,
) -> None:
    older, newer = approved.models()[0].name, copy_model(approved, True)
    plain, shared = view(approved.folder), view(approved.folder, "serve.canary=0.05")
    assert plain.newest(None).version == newer.name
    assert plain.canary(plain.newest(None)) is None
    served = shared.newest(None)
    assert served.version == older
    canary = shared.canary(served)
    assert canary is not None
    assert canary.name == newer.name
    verdict = read_verdict(newer, store_of(approved).signer)
    assert verdict is not None
    withdraw(newer, verdict, store_of(approved).signer)
    assert shared.canary(served) is None
