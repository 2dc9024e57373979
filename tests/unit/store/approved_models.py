"""Models in a store, approved, rejected or never tested, so that a test need not train."""

from pathlib import Path

from lightmodel.contract.results import Verdict
from lightmodel.store import codec
from lightmodel.store.manifest import Signer
from lightmodel.store.verdict import write_verdict
from lightmodel.store.versions import Store, Version

UNSIGNED = Signer(None)
BUNDLE = {
    "format": 1,
    "runtime": "lightgbm",
    "learner": "lightgbm",
    "steps": {"frequency": [], "module": [], "calibration": None},
    "counts": [],
    "threshold": 0.1,
    "model": {"texts": ["tree"]},
}


def store(signer: Signer = UNSIGNED) -> Store:
    return Store(Path("model"), "model", signer)


def model(signer: Signer = UNSIGNED, *, passed: bool | None = True) -> Version:
    """A model that was approved, rejected (False) or never tested (None)."""
    with store(signer).draft() as draft:
        draft.write("model.joblib", codec.dump(BUNDLE))
        version = draft.publish(inputs={}, parameters={}, rows={}, fingerprint="")
    if passed is not None:
        verdict = Verdict(passed, "auc", 0.9 if passed else float("nan"), ("because",))
        write_verdict(version, verdict, b"<html>", signer, fingerprint="key", metrics={"auc": 0.9})
    return version
