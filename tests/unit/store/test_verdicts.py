"""Which model is served, and how that is taken back."""

import json
from pathlib import Path

import numpy as np
import pytest

from lightmodel.contract.results import FoldFit, Verdict
from lightmodel.errors import AlreadyRunning, ArtefactCorrupt, ArtefactMissing
from lightmodel.store import admin as upkeep
from lightmodel.store import codec
from lightmodel.store.checkpoints import FoldCheckpoints
from lightmodel.store.lock import run_lock
from lightmodel.store.signing import Signer
from lightmodel.store.verdict import newest_approved, read_verdict, write_verdict
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


def test_the_newest_approved_model_is_found() -> None:
    model()
    approved = model()
    model(passed=False)
    model(passed=None)
    assert newest_approved(store(), UNSIGNED).name == approved.name


def test_without_an_approved_model_it_is_said_what_was_found() -> None:
    model(passed=False)
    model(passed=None)
    with pytest.raises(ArtefactMissing, match=r"in model \(1 rejected, 1 untested\)"):
        newest_approved(store(), UNSIGNED)


def test_a_verdict_reads_back_and_an_undefined_metric_is_null() -> None:
    verdict = read_verdict(model(passed=False), UNSIGNED)
    assert verdict is not None
    assert (verdict.value, verdict.fingerprint, verdict.by) == (None, "key", "testing")


@pytest.mark.parametrize("name", ["model.joblib", "manifest.json", "verdict.json", "report.html"])
def test_a_damaged_model_is_passed_over_told_once_and_the_old_one_goes_on(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    old, damaged = model(), model()
    path = damaged.folder / name
    path.write_bytes(path.read_bytes()[:-3] + b"   ")
    reader = store()
    for _ in range(2):
        assert newest_approved(reader, UNSIGNED).name == old.name
    assert len([record for record in caplog.records if damaged.name in record.message]) == 1


def test_a_verdict_of_another_model_does_not_count() -> None:
    approved, rejected = model(), model(passed=False)
    (rejected.folder / "verdict.json").write_bytes((approved.folder / "verdict.json").read_bytes())
    with pytest.raises(ArtefactCorrupt, match="another manifest"):
        read_verdict(rejected, UNSIGNED)


def test_with_a_key_an_unsigned_verdict_does_not_count() -> None:
    key = Signer(b"key")
    version = model(key)
    content = json.loads((version.folder / "verdict.json").read_bytes())
    (version.folder / "verdict.json").write_text(json.dumps({**content, "signature": None}))
    with pytest.raises(ArtefactCorrupt, match="is not signed"):
        read_verdict(version, key)


def test_a_stray_model_is_not_served_and_the_command_to_adopt_it_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    approved = model()
    Path("model", "better.joblib").write_bytes(b"anything")
    assert newest_approved(store(), UNSIGNED).name == approved.name
    assert "models adopt model/better.joblib" in caplog.text


def test_rollback_withdraws_and_deletes_nothing() -> None:
    old, new = model(), model()
    assert upkeep.rollback(store(), UNSIGNED) == upkeep.RolledBack(new.name, old.name)
    verdict = read_verdict(new, UNSIGNED)
    assert verdict is not None
    assert (verdict.passed, verdict.by, verdict.reasons[0]) == (
        False,
        "rollback",
        "withdrawn by rollback",
    )
    assert (new.folder / "model.joblib").exists()


def test_the_last_approved_model_is_withdrawn_by_force_only() -> None:
    only = model()
    with pytest.raises(ArtefactMissing, match="no approved model would be left"):
        upkeep.rollback(store(), UNSIGNED)
    assert upkeep.rollback(store(), UNSIGNED, force=True).served == ""
    with pytest.raises(ArtefactMissing, match="is not approved"):
        upkeep.rollback(store(), UNSIGNED, only.name)


def test_retiring_keeps_the_newest_and_the_one_in_use() -> None:
    served = model()
    names = [model(passed=False).name for _ in range(4)]
    assert upkeep.retire(store(), 2, UNSIGNED) == names[1::-1]
    assert {version.name for version in store().versions()} == {served.name, *names[2:]}


def test_a_bundle_reads_back_and_equal_content_gives_equal_bytes() -> None:
    version = model()
    assert codec.load(version) == BUNDLE
    twins = [{"format": 1, "a": ["x" * n, "x" * n], "b": {"x" * n: 0.1}} for n in (3, 3)]
    twins[1]["a"] = [f"x{'x' * 2}", "xxx"]
    assert codec.dump(twins[0]) == codec.dump(twins[1])


def test_bytes_that_do_not_match_are_never_unpickled() -> None:
    version = model()
    bomb = b"cposix\nsystem\n(S'touch exploded'\ntR."
    (version.folder / "model.joblib").write_bytes(bomb)
    with pytest.raises(ArtefactCorrupt, match="is not what was written"):
        codec.load(version)
    assert not Path("exploded").exists()


@pytest.mark.parametrize("data", [b"", b"rubbish", codec.dump({"format": 2}), codec.dump({})])
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(ArtefactCorrupt):
        codec.unpickle(data, "file")


FIT = FoldFit(np.array([0.1, np.nan, 1 / 3]), 7, ((10.0, 0.5),), {"texts": ["tree"]})


def test_a_fold_comes_back_to_the_last_bit() -> None:
    checkpoints = FoldCheckpoints(Path("var/folds"))
    assert checkpoints.load(0) is None
    checkpoints.save(0, FIT)
    found = checkpoints.load(0)
    assert found is not None
    assert found.scores.tobytes() == FIT.scores.tobytes()
    assert (found.rounds, found.curve, found.model) == (FIT.rounds, FIT.curve, FIT.model)
    checkpoints.clear()
    assert checkpoints.load(0) is None


@pytest.mark.parametrize("cut", [0, 10, 40, -1])
def test_half_a_fold_is_none(cut: int) -> None:
    checkpoints = FoldCheckpoints(Path("var"))
    checkpoints.save(0, FIT)
    path = Path("var/fold-000.bin")
    path.write_bytes(path.read_bytes()[:cut])
    assert checkpoints.load(0) is None


def test_a_fold_that_cannot_be_kept_costs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    Path("var").write_text("a file where a folder should be")
    FoldCheckpoints(Path("var")).save(0, FIT)
    assert "fold 1 cannot be kept" in caplog.text


def test_a_second_run_is_refused_until_the_first_ends() -> None:
    with (
        run_lock(Path("shop")),
        pytest.raises(AlreadyRunning, match="another run is at work on the store shop"),
    ):
        run_lock(Path("shop")).__enter__()
    with run_lock(Path("shop")):
        assert Path("shop", ".run.lock").exists()
