"""Which versions answer, and which ids are a canary's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.errors import ArtefactCorrupt, ArtefactMissing, ChangeRefused
from lightmodel.store.admin import promote_version, rollback
from lightmodel.store.canary import fails_too_often, is_canarys, served_versions
from lightmodel.store.manifest import Signer
from lightmodel.store.verdict import Note, read_verdict
from tests.unit.store.approved_models import UNSIGNED, model, store

VERSION = "20260101T000000000000Z-aaaaaa"


def names(share: float = 0.05) -> tuple[str, str]:
    """Return the names of the stable version and of the canary, "" for none."""
    served = served_versions(store(), share)
    return served.stable.name, served.canary.name if served.canary else ""


def test_without_a_share_or_an_earlier_version_the_newest_answers_all() -> None:
    with pytest.raises(ArtefactMissing):
        served_versions(store(), 0.05)
    first = model()
    assert names() == (first.name, "")
    model(passed=False)
    second = model()
    assert names(0.0) == (second.name, "")


def test_a_newly_approved_version_is_the_canary_until_it_is_promoted() -> None:
    old, new = model(), model()
    assert names() == (old.name, new.name)
    assert promote_version(store()) == new.name
    assert names() == (new.name, "")
    assert promote_version(store()) == new.name  # again, which changes nothing
    newer = model()
    assert names() == (new.name, newer.name)


def test_a_version_that_was_only_a_canary_is_not_fallen_back_to() -> None:
    promoted = model()
    promote_version(store(), promoted.name)
    model()
    newest = model()
    assert names() == (promoted.name, newest.name)


def test_a_withdrawn_canary_leaves_the_version_before() -> None:
    old, new = model(), model()
    rollback(store(), new.name, reason="withdrawn as a canary: it fails")
    assert names() == (old.name, "")
    verdict = read_verdict(new, UNSIGNED)
    assert verdict is not None
    assert verdict.reasons[0] == "withdrawn as a canary: it fails"
    with pytest.raises(ArtefactMissing, match="nothing to promote"):
        promote_version(store(), new.name)


def test_a_promotion_is_signed_and_a_verdict_of_an_earlier_release_keeps_its_signature() -> None:
    signer = Signer(b"key")
    version = model(signer)
    verdict = read_verdict(version, signer)
    assert verdict is not None
    assert b"promoted" not in verdict.to_json()
    promote_version(store(signer))
    promoted = read_verdict(version, signer)
    assert promoted is not None
    assert promoted.promoted


def test_notes_are_signed_and_a_withdrawn_version_is_promoted_only_when_asked_to() -> None:
    signer = Signer(b"key")
    model(signer)
    version = model(signer)
    before = read_verdict(version, signer)
    assert before is not None
    assert b"notes" not in before.to_json()
    assert b"evaluation" not in before.to_json()
    rollback(store(signer), version.name, note=Note("Ada", "it fails"))
    with pytest.raises(ChangeRefused):
        promote_version(store(signer), version.name)
    promote_version(store(signer), version.name, Note("Bea", "it was the network"), again=True)
    verdict = read_verdict(version, signer)
    assert verdict is not None
    assert (verdict.passed, verdict.by, verdict.reasons) == (True, "promotion", before.reasons)
    assert [note["by"] for note in verdict.notes] == ["Ada", "Bea"]
    file = version.folder / "verdict.json"
    file.write_bytes(file.read_bytes().replace(b"Bea", b"Eve"))
    with pytest.raises(ArtefactCorrupt, match="signature"):
        read_verdict(version, signer)


@given(st.text(), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_a_larger_share_keeps_the_ids_of_a_smaller_one(key: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert is_canarys(key, VERSION, small) <= is_canarys(key, VERSION, large)
    assert not is_canarys(key, VERSION, 0.0)


@given(st.integers(0, 10**9), st.sampled_from([0.02, 0.05, 0.2, 0.5]))
def test_the_share_of_the_ids_is_kept(start: int, share: float) -> None:
    rows = 4_000
    taken = sum(is_canarys(f"c-{start + number}", VERSION, share) for number in range(rows))
    deviation = (share * (1 - share) / rows) ** 0.5
    assert abs(taken / rows - share) < 7 * deviation


def test_the_side_of_an_id_is_the_same_for_ever_and_other_ids_are_a_later_canarys() -> None:
    keys = [f"v{number}" for number in range(40)]
    taken = [key for key in keys if is_canarys(key, VERSION, 0.1)]
    assert taken == ["v2", "v13", "v14", "v19"]
    later = [key for key in keys if is_canarys(key, VERSION.replace("a", "b"), 0.1)]
    assert later != taken


@pytest.mark.parametrize(
    ("failed", "rows", "expected"),
    [(4, 4, False), (5, 5, True), (5, 499, True), (5, 500, False), (10, 999, True)],
)
def test_a_canary_may_fail_by_accident(failed: int, rows: int, *, expected: bool) -> None:
    assert fails_too_often(failed, rows) is expected
