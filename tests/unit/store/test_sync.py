"""Of two verdicts on one version, which one holds in a mirror."""

from pathlib import Path

from lightmodel.contract.results import Verdict
from lightmodel.sources.object_store import S3Store
from lightmodel.store.manifest import Signer
from lightmodel.store.mirrors import Mirror
from lightmodel.store.sync import push
from lightmodel.store.verdict import parse_verdict, promote, read_verdict, withdraw, write_verdict
from lightmodel.store.versions import Store, Version

UNSIGNED = Signer(None)


class MemoryMirror(Mirror):
    """A mirror in memory."""

    def __init__(self) -> None:
        super().__init__(S3Store("memory://", 1.0), root="")  # never asked
        self.objects: dict[str, bytes] = {}

    def names(self) -> frozenset[str]:
        return frozenset(self.objects)

    def read(self, name: str, size: int = 0) -> bytes | None:  # noqa: ARG002 — of any size
        return self.objects.get(name)

    def write(self, name: str, data: bytes) -> None:
        self.objects[name] = data


def store() -> Store:
    return Store(Path("model"), "model", UNSIGNED)


def approved() -> Version:
    with store().draft() as draft:
        draft.write("model.joblib", b"model")
        draft.write("code/mine.py", b"x = 1")
        version = draft.publish(inputs={}, parameters={}, rows={}, fingerprint="a=1")
    approve(version)
    return version


def approve(version: Version) -> None:
    write_verdict(version, Verdict(True, "auc", 0.9, ("fine",)), b"<html>", UNSIGNED)


def verdict_author(mirror: MemoryMirror, version: Version) -> str:
    return parse_verdict(mirror.objects[f"{version.name}/verdict.json"], version, UNSIGNED).by


def test_user_code_is_sent_and_the_manifest_is_sent_last() -> None:
    version, mirror = approved(), MemoryMirror()
    assert push(store(), mirror).versions == (version.name,)
    assert mirror.objects[f"{version.name}/code/mine.py"] == b"x = 1"
    assert list(mirror.objects)[-1] == f"{version.name}/manifest.json"


def test_a_rollback_in_a_mirror_is_not_replaced_by_a_later_test() -> None:
    version, mirror = approved(), MemoryMirror()
    push(store(), mirror)
    before = (version.folder / "verdict.json").read_bytes()
    verdict = read_verdict(version, UNSIGNED)
    assert verdict is not None
    withdraw(version, verdict, UNSIGNED)
    assert push(store(), mirror).verdicts == (version.name,)
    assert verdict_author(mirror, version) == "rollback"
    (version.folder / "verdict.json").write_bytes(before)  # somebody who never pulled
    approve(version)  # and tests it again
    assert push(store(), mirror).verdicts == ()
    assert verdict_author(mirror, version) == "rollback"


def test_a_rollback_in_a_mirror_is_taken_back_by_hand() -> None:
    version, mirror = approved(), MemoryMirror()
    verdict = read_verdict(version, UNSIGNED)
    assert verdict is not None
    withdrawn = withdraw(version, verdict, UNSIGNED)
    version_two = approved()  # so that something is approved, and the first one is sent
    push(store(), mirror)
    promote(version, withdrawn, UNSIGNED)
    assert push(store(), mirror).versions == (version.name,)
    withdrawn = withdraw(version, verdict, UNSIGNED)
    push(store(), mirror)
    assert verdict_author(mirror, version) == "rollback"
    promote(version, withdrawn, UNSIGNED)
    assert push(store(), mirror).verdicts == (version.name,)
    assert verdict_author(mirror, version) == "promotion"
    assert verdict_author(mirror, version_two) == "testing"


def test_a_later_test_replaces_an_earlier_one() -> None:
    version, mirror = approved(), MemoryMirror()
    push(store(), mirror)
    approve(version)
    assert push(store(), mirror).verdicts == (version.name,)
    assert push(store(), mirror).verdicts == ()
