"""Versions: written once, whole or not at all, and checked before use."""

import itertools
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lightmodel.errors import ArtefactCorrupt, ArtefactMissing
from lightmodel.store.manifest import Manifest, Signer
from lightmodel.store.versions import Store, Version
from tests.fakes.waiting import running

UNSIGNED = Signer(None)
ROOT = Path(__file__).parents[3]


def store(folder: str = "model", signer: Signer = UNSIGNED) -> Store:
    return Store(Path(folder), "model", signer)


def published(into: Store, data: bytes = b"payload") -> Version:
    with into.draft() as draft:
        draft.write("model.joblib", data)
        draft.write("other.txt", b"more")
        return draft.publish(inputs={}, parameters={"a": 1}, rows={}, fingerprint="inputs=1")


def test_a_version_reads_back_as_it_was_published() -> None:
    made = published(store())
    found = store().newest()
    assert found == made
    assert found.read("model.joblib") == b"payload"
    assert Manifest.from_json(made.manifest.to_json(), made.name) == made.manifest
    store().verify(found)


def test_a_manifest_without_learner_steps_and_reason_keeps_its_bytes() -> None:
    earlier = published(store()).manifest.to_json()
    assert b"steps" not in earlier
    assert b"reason" not in earlier
    manifest = Manifest.from_json(earlier, json.loads(earlier)["version"])
    assert manifest.to_json() == earlier
    old = replace(manifest, runtime="lightgbm")
    assert (old.learner, old.learner_name, old.steps) == (None, "lightgbm", ())
    new = replace(manifest, learner="neural", steps=("frequency",))
    assert Manifest.from_json(new.to_json(), new.version) == new


def test_a_draft_is_seen_by_nobody_and_removed_when_it_fails() -> None:
    def fail() -> None:
        with store().draft() as draft:
            draft.write("model.joblib", b"x")
            assert store().versions() == []
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(Path("model").iterdir()) == []


def test_an_empty_store_says_where_it_looked_and_what_makes_a_version() -> None:
    with pytest.raises(ArtefactMissing, match="no model in nowhere") as caught:
        store("nowhere").newest()
    assert "run.py" in caught.value.hint


def test_versions_come_newest_first_and_by_unique_beginnings() -> None:
    names = [published(store()).name for _ in range(3)]
    assert [version.name for version in store().versions()] == names[::-1]
    assert store().get(names[1][:-2]).name == names[1]
    with pytest.raises(ArtefactMissing, match="3 versions"):
        store().get(names[0][:8])
    with pytest.raises(ArtefactMissing, match="known are"):
        store().get("20000101T000000")
    with pytest.raises(ArtefactMissing):
        store().get("../model")


def test_stamps_never_go_backwards() -> None:
    times = iter(datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=day) for day in range(3))
    late = Store(Path("model"), "model", UNSIGNED, clock=lambda: next(times))
    names = [published(late).name for _ in range(3)]
    assert names == sorted(names)
    assert late.newest().name == names[-1]


@pytest.mark.parametrize("name", ["model.joblib", "other.txt"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "grow"])
def test_any_damage_to_a_payload_is_found(name: str, damage: str) -> None:
    version = published(store())
    path = version.folder / name
    data = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        changed = {"flip": b"X" + data[1:], "cut": data[:-1], "grow": data + b" "}
        path.write_bytes(changed[damage])
    with pytest.raises(ArtefactCorrupt, match=name):
        store().verify(version)
    with pytest.raises(ArtefactCorrupt, match=name):
        version.read(name)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2}', '{"format": 1}', '{"format": 1, "files": 3}']
)
def test_an_invalid_manifest_is_skipped_with_one_warning(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    old, broken = published(store()), published(store())
    (broken.folder / "manifest.json").write_text(text, encoding="utf-8")
    reader = store()
    assert reader.newest() == reader.newest() == old
    assert len([record for record in caplog.records if "skipped" in record.message]) == 1


def test_a_version_that_was_copied_under_another_name_is_refused() -> None:
    version = published(store())
    version.folder.rename(version.folder.with_name("20300101T000000000000Z-abcdef"))
    assert store().versions() == []


def test_a_manifest_cannot_name_files_outside_its_folder() -> None:
    version = published(store())
    Path("model", "secret").write_bytes(b"x")
    manifest = version.manifest.to_json().replace(b'"other.txt"', b'"../secret"')
    (version.folder / "manifest.json").write_bytes(manifest)
    with pytest.raises(ArtefactCorrupt, match="secret"):
        store().verify(store().newest())


def test_with_a_key_only_versions_signed_with_it_are_valid() -> None:
    signed = store("a", Signer(b"key"))
    signed.verify(published(signed))
    with pytest.raises(ArtefactCorrupt, match="is not signed"):
        signed.verify(published(store("a")))
    with pytest.raises(ArtefactCorrupt, match="is wrong"):
        signed.verify(published(store("a", Signer(b"other"))))
    version = published(signed)
    forged = version.manifest.to_json().replace(b'"a": 1', b'"a": 2')
    (version.folder / "manifest.json").write_bytes(forged)
    with pytest.raises(ArtefactCorrupt, match="is wrong"):
        signed.verify(signed.newest())


def test_what_a_killed_writer_left_is_swept_after_a_day() -> None:
    old = Path("model", "20260101T000000000000Z-abcdef")
    old.mkdir(parents=True)
    with store().draft() as draft:
        assert store().sweep() == [old.name]
        assert draft.folder.exists()


FULL = """
import resource, signal, sys
from pathlib import Path
from lightmodel.store.manifest import Signer
from lightmodel.store.versions import Store
from lightmodel.errors import StorageFull
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    with Store(Path("model"), "model", Signer(None)).draft() as draft:
        draft.write("model.joblib", b"x" * 100_000)
except StorageFull as error:
    sys.exit(f"{error.message} / {error.hint}")
"""


def test_a_full_disk_is_reported_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no room left to write model.joblib" in done.stderr
    assert "models retire" in done.stderr
    assert list((tmp_path / "model").iterdir()) == []


WRITER = """
import hashlib, os, sys
from pathlib import Path
from lightmodel.store.manifest import Signer
from lightmodel.store.versions import Store
store = Store(Path("model"), "model", Signer(None))
print("ready", flush=True)
while True:
    data = os.urandom(200_000)
    with store.draft() as draft:
        for part in range(5):
            draft.write(f"part{part}", data)
        digest = hashlib.sha256(data).hexdigest()
        draft.publish(inputs={}, parameters={"sha256": digest}, rows={}, fingerprint="")
"""


def test_killing_a_writer_at_any_moment_leaves_no_corrupt_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(0)
    reader = store(str(tmp_path / "model"))
    reads = kills = 0
    for _ in itertools.repeat(None, 12):
        with running(
            [sys.executable, "-c", WRITER],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        ) as writer:
            assert writer.stdout
            writer.stdout.readline()
            until = time.monotonic() + chance.uniform(0.02, 0.25)
            while time.monotonic() < until:
                for version in itertools.islice(reader.newest_first(), 2):
                    reader.verify(version)
                    assert version.read("part0") == version.read("part4")
                    reads += 1
        kills += 1
    folders = list((tmp_path / "model").iterdir())
    unfinished = [path for path in folders if not (path / "manifest.json").exists()]
    with capsys.disabled():
        print(f"\n{reads} reads, 0 bad; {kills} kills, {len(unfinished)} in mid-write")
    assert reads > kills
    assert unfinished


def test_two_writers_at_once_both_publish() -> None:
    with store().draft() as one, store().draft() as other:
        for draft in (one, other):
            draft.write("model.joblib", b"x")
        names = {
            draft.publish(inputs={}, parameters={}, rows={}, fingerprint="").name
            for draft in (one, other)
        }
    assert {version.name for version in store().versions()} == names
