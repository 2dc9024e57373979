"""A drifted service repairs itself, and says so to the right person, without a hand."""

from pathlib import Path

import pytest

from lightmodel.store.manifest import Manifest
from tests.e2e.loop import Loop, draw, run_loop

pytestmark = pytest.mark.prometheus


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    return run_loop(tmp_path_factory.mktemp("loop"))


def test_each_thing_follows_from_the_one_before(loop: Loop) -> None:
    before, after = loop.versions
    assert before < after
    told = ["the second city opens", "drift is measured", "the alert fires", "it is mailed"]
    mended = ["drift is measured", "a training starts", "its model is approved", "it answers"]
    calm = ["it answers", "the alert is resolved"]
    for chain in (told, mended, calm, ["it answers", "no drift is left"]):
        assert [loop.moments[one] for one in chain] == sorted(loop.moments[one] for one in chain)


def test_no_request_fails_and_the_successor_answers_once_it_is_approved(loop: Loop) -> None:
    assert {status for _, status, _ in loop.traffic.answers} == {200}
    answered_by = [version for _, _, version in loop.traffic.answers]
    assert set(answered_by) == set(loop.versions)
    assert answered_by[-1] == loop.versions[1]


def test_the_alert_and_its_end_are_mailed_once_each(loop: Loop) -> None:
    before, after = loop.versions
    about = [one for one in loop.mails if before in one and "drifted" in one]
    words = f"requests have drifted from the training of {before}"
    assert about == [f"light-model: warning: {words}", f"light-model: resolved: {words}"]
    assert f"light-model: model {after} is approved" in loop.mails


def test_the_successor_says_why_it_was_trained(loop: Loop) -> None:
    folder = loop.project.folder / "model" / loop.versions[1]
    manifest = Manifest.from_json((folder / "manifest.json").read_bytes(), folder.name)
    assert "drift" in manifest.reason


def test_the_drift_that_prometheus_recorded_grew_and_is_gone(loop: Loop, tmp_path: Path) -> None:
    before, after = (dict(loop.effects[version]) for version in loop.versions)
    assert min(before.values()) < 0.1 < 0.2 < max(before.values())
    assert list(after.values())[-1] < 0.1
    (tmp_path / "loop.png").write_bytes(draw(loop))
    assert (tmp_path / "loop.png").read_bytes().startswith(b"\x89PNG")
