"""Which model is served, and how that is taken back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lightmodel.errors import ArtefactCorrupt, ArtefactMissing
from lightmodel.store.manifest import Signer
from lightmodel.store.verdict import newest_approved, read_verdict
from tests.unit.store.approved_models import UNSIGNED, model, store


def test_the_newest_approved_model_is_found() -> None:
    model()
    approved = model()
    model(passed=False)
    model(passed=None)
    assert newest_approved(store()).name == approved.name


def test_without_an_approved_model_the_error_counts_the_others() -> None:
    model(passed=False)
    model(passed=None)
    with pytest.raises(ArtefactMissing, match=r"in model \(1 rejected, 1 untested\)"):
        newest_approved(store())


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_text("{"), r"\(1 damaged\): \S+/manifest.json is not JSON"),
        (Path.unlink, r"\(1 unfinished\): \S+/manifest.json is missing"),
    ],
)
def test_without_an_approved_model_the_error_names_the_newest_damaged_file(
    damage: Callable[[Path], object], reason: str
) -> None:
    damage(model().folder / "manifest.json")
    with pytest.raises(ArtefactMissing, match=reason) as caught:
        newest_approved(store())
    assert "restore" in caught.value.hint


def test_a_verdict_reads_back_and_an_undefined_metric_is_null() -> None:
    verdict = read_verdict(model(passed=False), UNSIGNED)
    assert verdict is not None
    assert (verdict.value, verdict.fingerprint, verdict.by) == (None, "key", "testing")


@pytest.mark.parametrize("name", ["model.joblib", "manifest.json", "verdict.json", "report.html"])
def test_a_damaged_model_is_skipped_with_one_warning_and_the_older_one_is_served(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    old, damaged = model(), model()
    path = damaged.folder / name
    path.write_bytes(path.read_bytes()[:-3] + b"   ")
    reader = store()
    for _ in range(2):
        assert newest_approved(reader).name == old.name
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
    assert newest_approved(store()).name == approved.name
    assert "models adopt model/better.joblib" in caplog.text
