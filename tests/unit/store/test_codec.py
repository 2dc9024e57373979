"""Models to bytes and back, of this version and of earlier ones."""

import decimal
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lightmodel.config.base import RENAMED_MODULES
from lightmodel.errors import ArtefactCorrupt
from lightmodel.learners import scaled_target
from lightmodel.store import codec
from tests.unit.store.approved_models import BUNDLE, model


def test_a_bundle_reads_back_and_equal_content_gives_equal_bytes() -> None:
    version = model()
    assert codec.load(version) == BUNDLE
    twins = [{"format": 1, "a": ["x" * n, "x" * n], "b": {"x" * n: 0.1}} for n in (3, 3)]
    twins[1]["a"] = [f"x{'x' * 2}", "xxx"]
    assert codec.dump(twins[0]) == codec.dump(twins[1])


def test_an_estimator_gives_the_same_bytes_after_a_stay_in_another_process() -> None:
    columns = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    fitted = columns.fit(np.arange(12.0).reshape(4, 3))
    returned = pickle.loads(pickle.dumps(fitted))
    here, there = ({"steps": {}, "model": one} for one in (fitted, returned))
    assert codec.dump(here) == codec.dump(there)


def test_bytes_that_do_not_match_are_never_unpickled() -> None:
    version = model()
    bomb = b"cposix\nsystem\n(S'touch exploded'\ntR."
    (version.folder / "model.joblib").write_bytes(bomb)
    with pytest.raises(ArtefactCorrupt, match="does not match the manifest"):
        codec.load(version)
    assert not Path("exploded").exists()


@pytest.mark.parametrize("data", [b"", b"rubbish", codec.dump({"format": 2}), codec.dump({})])
def test_bytes_that_are_no_bundle_are_refused(data: bytes) -> None:
    with pytest.raises(ArtefactCorrupt):
        codec.unpickle(data, "file")


@pytest.mark.parametrize("earlier", RENAMED_MODULES)
def test_a_bundle_that_names_a_module_by_its_earlier_name_is_read(
    earlier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, earlier, scaled_target)
        patch.setattr(scaled_target.perceptron, "__module__", earlier)
        data = codec.dump({"format": 1, "model": scaled_target.perceptron})
    assert earlier.encode() in data
    monkeypatch.delitem(sys.modules, earlier, raising=False)
    assert codec.unpickle(data, "file")["model"] is scaled_target.perceptron


def test_the_library_that_a_bundle_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = codec.dump({"format": 1, "model": decimal.Decimal(1)})
    monkeypatch.setitem(sys.modules, "decimal", None)
    with pytest.raises(ArtefactCorrupt, match="decimal is not installed here"):
        codec.unpickle(data, "a version")
