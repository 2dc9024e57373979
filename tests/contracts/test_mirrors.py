"""The contract of every mirror (`lightmodel.store.mirrors.Mirror`), and copies of models on it."""

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.ports import free_port
from lightmodel.config import load
from lightmodel.contract.results import Verdict
from lightmodel.errors import (
    ArtefactCorrupt,
    ArtefactMissing,
    ConfigError,
    SourceUnavailable,
)
from lightmodel.store import admin as upkeep
from lightmodel.store.manifest import Manifest, Signer, json_bytes
from lightmodel.store.mirrors import Mirror, mirrors_of
from lightmodel.store.sync import pull, pull_first, push
from lightmodel.store.verdict import newest_approved, read_verdict, withdraw, write_verdict
from lightmodel.store.versions import Store, Version
from tests.fakes.clouds import azurite, azurite_at, make_bucket, make_container, moto

UNSIGNED = Signer(None)


@dataclass(frozen=True)
class Cloud:
    """A cloud storage service that runs on this machine."""

    scheme: str
    make: Callable[[str], None]
    use: Callable[[pytest.MonkeyPatch], None]
    use_port: Callable[[pytest.MonkeyPatch, int], None]


@pytest.fixture(autouse=True)
def nobodys_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the credentials of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def s3() -> Iterator[Cloud]:
    with moto() as address:

        def use(patch: pytest.MonkeyPatch, endpoint: str = address) -> None:
            patch.setenv("AWS_ENDPOINT_URL", endpoint)
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")

        yield Cloud(
            "s3",
            lambda name: make_bucket(address, name),
            use,
            lambda patch, port: use(patch, f"http://127.0.0.1:{port}"),
        )


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with azurite(tmp_path_factory.mktemp("azurite")) as connection:

        def use(patch: pytest.MonkeyPatch, words: str = connection) -> None:
            patch.setenv("AZURE_STORAGE_CONNECTION_STRING", words)

        yield Cloud(
            "az",
            lambda name: make_container(connection, name),
            use,
            lambda patch, port: use(patch, azurite_at(port)),
        )


CLOUDS = [
    pytest.param("s3", marks=pytest.mark.s3),
    pytest.param("azure", marks=pytest.mark.azure),
]


@pytest.fixture(params=CLOUDS)
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    chosen: Cloud = request.getfixturevalue(request.param)
    chosen.use(monkeypatch)
    return chosen


_BUCKETS = iter(range(10_000))


@pytest.fixture
def uri(cloud: Cloud) -> str:
    """Create an empty bucket, and return the URI of a prefix in it."""
    name = f"bucket-{next(_BUCKETS)}"
    cloud.make(name)
    return f"{cloud.scheme}://{name}/team/shop"


def opened(uri: str, timeout_s: float = 60.0) -> Mirror:
    config = load(None, [f'store.mirrors=["{uri}"]'], {}).config
    (mirror,) = mirrors_of(config, timeout_s)
    return mirror


@pytest.fixture
def mirror(uri: str) -> Mirror:
    return opened(uri)


def test_a_written_object_can_be_read(mirror: Mirror) -> None:
    body = bytes(range(256)) * 1000
    mirror.write("v1/a b.bin", body)
    assert mirror.names() == {"v1/a b.bin"}
    assert mirror.read("v1/a b.bin", len(body)) == body


def test_an_object_is_replaced_by_one_of_its_name(mirror: Mirror) -> None:
    mirror.write("x", b"old and longer")
    mirror.write("x", b"new")
    assert mirror.read("x") == b"new"
    assert mirror.names() == {"x"}


def test_reading_a_missing_object_returns_none(mirror: Mirror) -> None:
    assert mirror.read("nothing") is None
    assert mirror.names() == frozenset()


def test_a_prefix_does_not_see_one_that_begins_like_it(mirror: Mirror, uri: str) -> None:
    opened(f"{uri}-2/").write("x", b"")
    opened(uri.removesuffix("/shop")).write("y", b"")
    assert mirror.names() == frozenset()
    assert opened(uri.removesuffix("/shop")).names() == {"y", "shop-2/x"}


def test_a_whole_bucket_can_be_a_mirror(uri: str) -> None:
    bucket = opened(uri.removesuffix("/team/shop"))
    bucket.write("v1/x", b"x")
    assert bucket.names() == {"v1/x"}


def test_a_new_listing_contains_later_objects(mirror: Mirror, uri: str) -> None:
    assert mirror.names() == frozenset()
    opened(uri).write("x", b"")
    assert mirror.names() == {"x"}


def test_a_missing_bucket_is_a_config_error(cloud: Cloud) -> None:
    mirror = opened(f"{cloud.scheme}://nobody-made-this/shop")
    for ask in (mirror.names, lambda: mirror.write("x", b"")):
        with pytest.raises(ConfigError, match="there is no such") as caught:
            ask()
        assert "store.mirrors" in caught.value.hint


def test_an_unreachable_mirror_is_reported(
    cloud: Cloud, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.use_port(monkeypatch, free_port())
    with pytest.raises(SourceUnavailable, match="did not answer") as caught:
        opened(uri, timeout_s=1).names()
    assert "models push" in caught.value.hint


def test_a_silent_mirror_times_out(cloud: Cloud, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cloud.use_port(monkeypatch, silent.getsockname()[1])
        with pytest.raises(SourceUnavailable, match="did not answer"):
            opened(uri, timeout_s=0.5).names()


@pytest.mark.s3
@pytest.mark.parametrize(("name", "value"), [("AWS_PROFILE", "nobody"), ("AWS_PROFILE", None)])
def test_without_credentials_s3_names_the_needed_ones(
    s3: Cloud, name: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.use(monkeypatch)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    if value:
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="no credentials") as caught:
        opened("s3://tables/x").names()
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


@pytest.mark.s3
def test_a_wrong_endpoint_of_s3_is_a_config_error(
    s3: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.use(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(ConfigError, match="does not accept"):
        opened("s3://tables/x").names()


@pytest.mark.azure
@pytest.mark.parametrize("words", ["", "nonsense"])
def test_without_credentials_azure_names_the_needed_ones(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", words)
    with pytest.raises(ConfigError, match="no credentials") as caught:
        opened("az://tables/x").names()
    assert "AZURE_STORAGE_CONNECTION_STRING" in caught.value.hint


@pytest.mark.azure
def test_a_wrong_key_of_azure_is_refused_and_not_printed(
    azure: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.use(monkeypatch)
    wrong = os.environ["AZURE_STORAGE_CONNECTION_STRING"].replace(
        "AccountKey=Eby8", "AccountKey=AAAA"
    )
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", wrong)
    with pytest.raises(ConfigError, match="refuses access") as caught:
        opened("az://tables/x").names()
    assert "AAAA" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("module", "uri", "extra"),
    [("s3fs", "s3://b/x", "s3.txt"), ("adlfs", "az://c/x", "azure.txt")],
)
def test_a_missing_extra_is_named(
    module: str, uri: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match="not installed") as caught:
        opened(uri).names()
    assert extra in caught.value.hint


@pytest.mark.parametrize("uri", ["gs://b/x", "s3://", "s3:/b/x", "az://c//x", "models", "s3://b x"])
def test_what_is_no_mirror_is_refused_with_the_settings(uri: str) -> None:
    with pytest.raises(ConfigError, match="s3://bucket/prefix"):
        load(None, [f'store.mirrors=["{uri}"]'], {})


def test_a_mirror_is_named_once() -> None:
    with pytest.raises(ConfigError, match="twice"):
        load(None, ['store.mirrors=["s3://b/x", "s3://b/x/"]'], {})


# Copies of models


def store(name: str = "here", signer: Signer = UNSIGNED) -> Store:
    return Store(Path(name, "model"), "model", signer)


def model(where: str = "here", *, passed: bool | None = True, signer: Signer = UNSIGNED) -> Version:
    """Publish a model that is approved (True), rejected (False) or never tested (None)."""
    with store(where, signer).draft() as draft:
        draft.write("model.joblib", os.urandom(1000))
        draft.write("metrics.json", b"{}")
        version = draft.publish(inputs={}, parameters={}, rows={}, fingerprint="")
    if passed is not None:
        judge(version, passed=passed, signer=signer)
    return version


def judge(version: Version, *, passed: bool, signer: Signer = UNSIGNED) -> None:
    verdict = Verdict(passed, "auc", 0.9, ("because",))
    write_verdict(version, verdict, f"<html>{os.urandom(4).hex()}".encode(), signer)


def roll_back(version: Version, where: str = "here") -> None:
    upkeep.rollback(store(where), version.name, force=True)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Dying(Mirror):
    """A mirror that fails, or kills the calling process, before one of its answers."""

    def __init__(self, mirror: Mirror, dies_at: int = -1) -> None:
        super().__init__(mirror.store, mirror.root)
        self.dies_at, self.asked = dies_at, 0
        self.written: list[str] = []

    def read(self, name: str, size: int = 0) -> bytes | None:
        self._count()
        return super().read(name, size)

    def write(self, name: str, data: bytes) -> None:
        self._count()
        super().write(name, data)
        self.written.append(name.partition("/")[2])

    def _count(self) -> None:
        if self.asked == self.dies_at:
            raise KeyboardInterrupt
        self.asked += 1


def test_the_manifest_is_sent_last_and_the_verdict_after_its_report(mirror: Mirror) -> None:
    model()
    watched = Dying(mirror)
    push(store(), watched)
    assert set(watched.written[:2]) == {"model.joblib", "metrics.json"}
    assert watched.written[2:] == ["report.html", "verdict.json", "manifest.json"]


def test_what_is_approved_is_sent_once_and_nothing_else_is(mirror: Mirror) -> None:
    approved = model()
    model(passed=False)
    model(passed=None)
    assert push(store(), mirror).versions == (approved.name,)
    again = push(store(), mirror)
    assert (again.versions, again.verdicts) == ((), ())


def test_a_model_comes_back_byte_for_byte_and_is_served(mirror: Mirror) -> None:
    model()
    newest = model()
    push(store(), mirror)
    pulled = pull(store("there"), mirror)
    assert (pulled.version, pulled.fetched) == (newest.name, True)
    assert files_of(Path("there/model", newest.name)) == files_of(newest.folder)
    assert newest_approved(store("there")).name == newest.name
    assert pull(store("there"), mirror).fetched is False


def test_one_is_pulled_by_the_beginning_of_its_name(mirror: Mirror) -> None:
    older = model()
    model()
    push(store(), mirror)
    assert pull(store("there"), mirror, older.name).version == older.name
    with pytest.raises(ArtefactMissing, match="2 models begin with"):
        pull(store("there"), mirror, older.name[:6])
    with pytest.raises(ArtefactMissing, match="0 models begin with"):
        pull(store("there"), mirror, "1999")


def test_pulling_from_an_empty_mirror_hints_at_push(mirror: Mirror) -> None:
    with pytest.raises(ArtefactMissing, match="no approved model") as caught:
        pull(store(), mirror)
    assert "models push" in caught.value.hint


def test_what_was_withdrawn_after_it_was_sent_is_not_brought_into_service(mirror: Mirror) -> None:
    older, newer = model(), model()
    push(store(), mirror)
    roll_back(newer)
    assert push(store(), mirror).verdicts == (newer.name,)
    assert pull(store("there"), mirror).version == older.name


def test_what_was_withdrawn_after_it_was_pulled_is_withdrawn_there_too(mirror: Mirror) -> None:
    older, newer = model(), model()
    push(store(), mirror)
    pull(store("there"), mirror)
    roll_back(newer)
    push(store(), mirror)
    pulled = pull(store("there"), mirror)
    assert (pulled.version, pulled.verdicts) == (older.name, (newer.name,))
    assert newest_approved(store("there")).name == older.name


def test_a_rollback_here_is_taken_back_by_nothing_from_a_mirror(mirror: Mirror) -> None:
    version = model()
    push(store(), mirror)
    pull(store("there"), mirror)
    roll_back(store("there").newest(), "there")
    judge(version, passed=True)  # approved again after that rollback
    assert push(store(), mirror).verdicts == (version.name,)
    with pytest.raises(ArtefactMissing):
        pull(store("there"), mirror)
    pull(store("there"), mirror, version.name)
    verdict = read_verdict(store("there").newest(), UNSIGNED)
    assert verdict is not None
    assert verdict.by == "rollback"


def test_an_older_verdict_does_not_go_over_a_later_one(mirror: Mirror) -> None:
    version = model()
    push(store(), mirror)
    pull(store("there"), mirror)
    roll_back(version)
    push(store(), mirror)
    assert push(store("there"), mirror).verdicts == ()
    with pytest.raises(ArtefactMissing):
        pull(store("elsewhere"), mirror)


def test_a_version_approved_again_is_sent_with_its_new_report(mirror: Mirror) -> None:
    version = model()
    push(store(), mirror)
    judge(version, passed=True)
    push(store(), mirror)
    pull(store("there"), mirror)
    assert files_of(Path("there/model", version.name)) == files_of(version.folder)


def test_a_push_that_was_killed_leaves_nothing_half_and_is_completed(mirror: Mirror) -> None:
    version = model()
    for moment in range(5):
        with pytest.raises(KeyboardInterrupt):
            push(store(), Dying(mirror, moment))
        with pytest.raises(ArtefactMissing):
            pull(store("there"), mirror)
    push(store(), mirror)
    assert pull(store("there"), mirror).version == version.name


def test_a_pull_that_was_interrupted_leaves_nothing(mirror: Mirror) -> None:
    model()
    push(store(), mirror)
    for moment in range(5):
        with pytest.raises(KeyboardInterrupt):
            pull(store("there"), Dying(mirror, moment))
        assert store("there").names() == []
    assert pull(store("there"), mirror).fetched


@pytest.mark.parametrize("damage", [b"", b"{}", b"other bytes"])
@pytest.mark.parametrize("name", ["model.joblib", "report.html", "verdict.json", "manifest.json"])
def test_a_damaged_object_is_refused(mirror: Mirror, name: str, damage: bytes) -> None:
    version = model()
    push(store(), mirror)
    mirror.write(f"{version.name}/{name}", damage)
    with pytest.raises(ArtefactCorrupt):
        pull(store("there"), mirror)
    assert store("there").names() == []


def test_a_manifest_whose_files_are_gone_is_refused(mirror: Mirror) -> None:
    version = model()
    for name in ("manifest.json", "verdict.json"):
        mirror.write(f"{version.name}/{name}", (version.folder / name).read_bytes())
    with pytest.raises(ArtefactCorrupt, match="is missing") as caught:
        pull(store("there"), mirror)
    assert "models push" in caught.value.hint


def test_a_manifest_cannot_name_a_file_elsewhere(mirror: Mirror) -> None:
    version = model()
    push(store(), mirror)
    manifest = json.loads((version.folder / "manifest.json").read_bytes())
    manifest["files"]["../../../evil"] = manifest["files"]["metrics.json"]
    data = json_bytes(manifest)
    changed = Version(version.name, version.folder, Manifest.from_json(data, version.name))
    judge(changed, passed=True)
    verdict = (version.folder / "verdict.json").read_bytes()
    report = (version.folder / "report.html").read_bytes()
    for name, content in (
        ("verdict.json", verdict),
        ("report.html", report),
        ("manifest.json", data),
    ):
        mirror.write(f"{version.name}/{name}", content)
    with pytest.raises(ArtefactCorrupt, match="outside its folder"):
        pull(store("there"), mirror)
    assert not Path("evil").exists()


def test_a_verdict_damaged_on_the_mirror_is_sent_again(mirror: Mirror) -> None:
    version = model()
    push(store(), mirror)
    mirror.write(f"{version.name}/verdict.json", b"{")
    assert push(store(), mirror).verdicts == (version.name,)
    assert pull(store("there"), mirror).version == version.name


def test_what_is_damaged_here_is_passed_over_and_the_rest_is_sent(
    mirror: Mirror, caplog: pytest.LogCaptureFixture
) -> None:
    damaged, whole = model(), model()
    (damaged.folder / "model.joblib").write_bytes(b"")
    assert push(store(), mirror).versions == (whole.name,)
    assert damaged.name in caplog.text


def test_a_damaged_local_copy_is_pulled_again(mirror: Mirror) -> None:
    version = model()
    push(store(), mirror)
    (version.folder / "model.joblib").write_bytes(b"")
    assert pull(store(), mirror).fetched
    store().verify(version)


def test_with_a_key_what_is_not_signed_with_it_is_refused(mirror: Mirror) -> None:
    model()
    push(store(), mirror)
    with pytest.raises(ArtefactCorrupt, match="not signed"):
        pull(store("there", Signer(b"key")), mirror)
    signed = model("signed", signer=Signer(b"key"))
    push(store("signed", Signer(b"key")), mirror)
    assert pull(store("there", Signer(b"key")), mirror).version == signed.name
    with pytest.raises(ArtefactCorrupt, match="is wrong"):
        pull(store("elsewhere", Signer(b"other")), mirror)


def test_a_split_is_no_model(mirror: Mirror) -> None:
    with Store(Path("splits"), "split", UNSIGNED).draft() as draft:
        version = draft.publish(inputs={}, parameters={}, rows={}, fingerprint="")
    judge(version, passed=True)
    for path in version.folder.iterdir():
        mirror.write(f"{version.name}/{path.name}", path.read_bytes())
    with pytest.raises(ArtefactCorrupt, match="is a split"):
        pull(store(), mirror)


def test_the_next_mirror_is_used_when_the_first_one_fails(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    version = model(".")
    push(store("."), opened(f"{uri}/2"))
    config = load(None, [f'store.mirrors=["{uri}/1", "{uri}/2"]', "store.root=there"], {}).config
    assert pull_first(config, None).version == version.name
    assert "holds no approved model" in caplog.text


def test_a_withdrawn_version_can_be_pulled_by_name_and_stays_withdrawn(mirror: Mirror) -> None:
    version = model()
    push(store(), mirror)
    verdict = read_verdict(version, UNSIGNED)
    assert verdict is not None
    withdraw(version, verdict, UNSIGNED)
    push(store(), mirror)
    assert pull(store("there"), mirror, version.name).fetched
    with pytest.raises(ArtefactMissing):
        newest_approved(store("there"))
