"""The contract of every source (`lightmodel.sources.base.Source`), run over all of them."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest

from benchmarks.ports import free_port
from lightmodel.errors import ConfigError, DataError, SourceUnavailable, StorageFull
from lightmodel.sources.base import FetchOptions, FetchResult
from lightmodel.sources.factory import fetch_first, source_for
from tests.fakes.clouds import (
    azurite,
    azurite_at,
    make_bucket,
    make_container,
    moto,
    put_blob,
    put_object,
)
from tests.fakes.drive import Drive
from tests.fakes.progress import Watching
from tests.fakes.web import Asked, Reply, Web, csv_reply, stand_in_for_https, web_with

FIRST = b"id,x,target\n" + b"".join(b"%d,%d.5,%d\n" % (row, row, row % 2) for row in range(20_000))
SECOND = FIRST + b"20000,1.5,0\n"


@pytest.fixture
def watching() -> Watching:
    return Watching()


@pytest.fixture
def options(tmp_path: Path, watching: Watching) -> FetchOptions:
    return FetchOptions(tmp_path / "cache", "changed", "", 60.0, 0, watching)


class Place(Protocol):
    """A place with a table, for a test of the source that reads it."""

    table: str
    nothing: str


class RemotePlace(Place, Protocol):
    """A place that is reached over a network."""

    def put(self, content: bytes) -> None:
        """Put a table there, replacing the old one."""
        ...

    def go_down(self) -> None:
        """Make the place unreachable from now on."""
        ...


def fetch(uri: str, options: FetchOptions) -> FetchResult:
    return source_for(uri)(uri, options)


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


class SourceContract:
    """What holds for every source; a subclass defines the fixture `place`."""

    @pytest.fixture
    def place(self) -> Place:
        raise NotImplementedError

    def test_a_fetched_file_has_the_reported_size_and_hash(
        self, place: Place, options: FetchOptions
    ) -> None:
        fetched = fetch(place.table, options)
        (path,) = fetched.paths
        assert path.stat().st_size == fetched.size > 0
        assert hashlib.sha256(path.read_bytes()).hexdigest() == fetched.sha256

    def test_the_file_keeps_its_extension(self, place: Place, options: FetchOptions) -> None:
        assert fetch(place.table, options).paths[0].suffix == ".csv"

    @pytest.mark.parametrize("refresh", ["always", "changed", "never"])
    def test_the_same_table_again_is_no_change(
        self, place: Place, options: FetchOptions, refresh: str
    ) -> None:
        first = fetch(place.table, options)
        again = fetch(place.table, replace(options, refresh=refresh))
        assert again == replace(first, changed=False)

    def test_the_expected_hash_is_accepted(self, place: Place, options: FetchOptions) -> None:
        fetched = fetch(place.table, options)
        again = fetch(place.table, replace(options, sha256=fetched.sha256))
        assert again.sha256 == fetched.sha256

    @pytest.mark.parametrize("refresh", ["always", "changed", "never"])
    def test_another_hash_than_expected_is_refused_even_of_a_copy_that_is_here(
        self, place: Place, options: FetchOptions, refresh: str
    ) -> None:
        fetch(place.table, options)
        with pytest.raises(DataError, match="sha256") as caught:
            fetch(place.table, replace(options, refresh=refresh, sha256="0" * 64))
        assert "data.sha256" in caught.value.hint

    def test_a_missing_table_is_an_error_with_a_hint(
        self, place: Place, options: FetchOptions
    ) -> None:
        with pytest.raises((DataError, ConfigError)) as caught:
            fetch(place.nothing, options)
        assert place.nothing.partition("?")[0] in caught.value.message
        assert caught.value.hint

    def test_a_mirror_is_used_when_the_first_place_does_not_have_the_table(
        self, place: Place, options: FetchOptions, tmp_path: Path
    ) -> None:
        missing = str(tmp_path / "not-here.csv")
        assert (
            fetch_first([missing, place.table], options).sha256
            == fetch(place.table, options).sha256
        )


class CachedContract(SourceContract):
    """What holds for every source that copies bytes to this machine."""

    def test_a_cached_table_is_not_fetched_again(
        self, place: Place, options: FetchOptions, watching: Watching
    ) -> None:
        fetch(place.table, options)
        fetch(place.table, options)
        assert len(watching.tasks) == 1

    def test_progress_counts_every_byte(
        self, place: Place, options: FetchOptions, watching: Watching
    ) -> None:
        fetched = fetch(place.table, options)
        (task,) = watching.tasks
        assert (task.done, task.unit) == (fetched.size, "bytes")

    def test_only_the_file_and_its_record_are_kept(
        self, place: Place, options: FetchOptions
    ) -> None:
        name = fetch(place.table, options).paths[0].name
        fetch(place.table, replace(options, refresh="always"))
        assert files_in(options.cache) <= {name, "source.json", ".lock"}

    @pytest.mark.parametrize("refresh", ["changed", "never"])
    @pytest.mark.parametrize("damage", [b"shorter", None])
    def test_a_damaged_copy_is_fetched_again(
        self, place: Place, options: FetchOptions, damage: bytes | None, refresh: str
    ) -> None:
        fetched = fetch(place.table, options)
        whole = fetched.paths[0].read_bytes()
        fetched.paths[0].write_bytes(damage or whole[:-1] + bytes([whole[-1] ^ 1]))
        assert fetch(place.table, replace(options, refresh=refresh)).paths[0].read_bytes() == whole

    def test_a_record_without_sense_counts_as_no_copy(
        self, place: Place, options: FetchOptions
    ) -> None:
        fetched = fetch(place.table, options)
        fetched.paths[0].with_name("source.json").write_text('{"uri": 1}')
        assert fetch(place.table, options) == replace(fetched, changed=True)

    def test_what_does_not_have_the_expected_hash_is_never_published(
        self, place: Place, options: FetchOptions
    ) -> None:
        with pytest.raises(DataError, match="sha256"):
            fetch(place.table, replace(options, sha256="0" * 64))
        assert files_in(options.cache) <= {".lock"}

    def test_a_full_disk_has_an_error_of_its_own(self, place: Place, options: FetchOptions) -> None:
        with pytest.raises(StorageFull, match="full"), small_disk():
            fetch(place.table, options)
        assert fetch(place.table, options).size > 0


@contextlib.contextmanager
def small_disk() -> Iterator[None]:
    """Fail each write beyond a kilobyte as a full quota does."""
    import errno
    import io

    class SmallFile(io.FileIO):
        def write(self, data: object, /) -> int:
            del data
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    open_path = Path.open

    def small(path: Path, mode: str = "r", *rest: object, **more: object) -> object:
        if path.name == "download.part" and mode != "rb":
            return SmallFile(path, "w")
        return open_path(path, mode, *rest, **more)  # type: ignore[call-overload]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", small)
        yield


class RemoteContract(CachedContract):
    """What holds for every source that is reached over a network."""

    @pytest.fixture
    def place(self) -> RemotePlace:
        raise NotImplementedError

    @pytest.mark.parametrize("refresh", ["always", "changed"])
    def test_a_table_that_changed_at_the_source_is_fetched(
        self, place: RemotePlace, options: FetchOptions, refresh: str
    ) -> None:
        fetch(place.table, options)
        place.put(SECOND)
        fetched = fetch(place.table, replace(options, refresh=refresh))
        assert fetched.changed
        assert fetched.paths[0].read_bytes() == SECOND

    def test_always_fetches_even_an_unchanged_table(
        self, place: RemotePlace, options: FetchOptions, watching: Watching
    ) -> None:
        fetch(place.table, options)
        fetch(place.table, replace(options, refresh="always"))
        assert len(watching.tasks) == 2

    def test_never_opens_no_connection_once_the_table_is_here(
        self, place: RemotePlace, options: FetchOptions
    ) -> None:
        fetched = fetch(place.table, options)
        place.go_down()
        assert fetch(place.table, replace(options, refresh="never")).paths == fetched.paths

    def test_never_fetches_the_table_the_first_time(
        self, place: RemotePlace, options: FetchOptions
    ) -> None:
        assert fetch(place.table, replace(options, refresh="never")).changed

    @pytest.mark.parametrize("refresh", ["always", "changed"])
    def test_a_copy_is_not_used_silently_when_the_source_is_out_of_reach(
        self, place: RemotePlace, options: FetchOptions, refresh: str
    ) -> None:
        fetched = fetch(place.table, options)
        when = json.loads(fetched.paths[0].with_name("source.json").read_text())["fetched"]
        place.go_down()
        with pytest.raises(SourceUnavailable) as caught:
            fetch(place.table, replace(options, refresh=refresh, timeout_s=0.5))
        assert "--set data.refresh=never" in caught.value.hint
        assert when[:10] in caught.value.hint

    def test_with_never_the_copy_of_a_mirror_comes_before_a_source_that_must_be_asked(
        self, place: RemotePlace, options: FetchOptions
    ) -> None:
        fetch(place.table, options)
        place.go_down()
        with web_with(csv_reply(SECOND)) as first:
            order = [first.url, place.table]
            fetched = fetch_first(order, replace(options, refresh="never"))
        assert fetched.paths[0].read_bytes() == FIRST
        assert first.asked == []


@dataclass
class LocalPlace:
    table: str
    nothing: str


class TestLocal(SourceContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        (tmp_path / "table.csv").write_bytes(FIRST)
        return LocalPlace(table="table.csv", nothing="tabel.csv")


class TestBundledSample(CachedContract):
    @pytest.fixture
    def place(self) -> Place:
        return LocalPlace("sample://santander?rows=50", "sample://santnader?rows=50")


class TestBundledSklearn(CachedContract):
    @pytest.fixture
    def place(self) -> Place:
        return LocalPlace("sklearn://wine", "sklearn://vine")


class WebPlace:
    def __init__(self, web: Web, folder: str) -> None:
        self.web, self.content = web, FIRST
        self.table, self.nothing = f"{folder}/table.csv", f"{folder}/tabel.csv"
        web.answer = self.answer

    def put(self, content: bytes) -> None:
        self.content = content

    def go_down(self) -> None:
        self.web.stop()

    def answer(self, asked: Asked) -> Reply:
        mark = f'"{hashlib.md5(self.content).hexdigest()}"'
        exists = asked.path == "/t/table.csv"
        return csv_reply(self.content, etag=mark) if exists else Reply(status=404)


class TestHttp(RemoteContract):
    @pytest.fixture
    def place(self) -> Iterator[RemotePlace]:
        with web_with(Reply()) as web:
            yield WebPlace(web, f"{web.url}/t")


class TestHttps(RemoteContract):
    @pytest.fixture
    def place(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RemotePlace]:
        with web_with(Reply()) as web:
            stand_in_for_https(web, monkeypatch, tmp_path)
            yield WebPlace(web, "https://data.example/t")


@dataclass
class DrivePlace:
    drive: Drive
    web: Web
    table: str = "https://drive.google.com/file/d/1aB-c_D2/view?usp=sharing"
    nothing: str = "gdrive://1aB-c_D3"
    stamp: int = 0

    def put(self, content: bytes) -> None:
        self.stamp += 1
        modified = f"Sat, 07 Nov 2026 10:00:0{self.stamp} GMT"
        self.drive.put("1aB-c_D2", csv_reply(content, modified=modified), too_big_to_scan=True)

    def go_down(self) -> None:
        self.web.stop()


class TestGoogleDrive(RemoteContract):
    @pytest.fixture
    def place(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RemotePlace]:
        drive = Drive()
        with drive.serve() as web:
            stand_in_for_https(web, monkeypatch, tmp_path)
            place = DrivePlace(drive, web)
            place.put(FIRST)
            yield place


@dataclass
class S3Place:
    endpoint: str
    monkeypatch: pytest.MonkeyPatch
    table: str = "s3://tables/folder/table.csv"
    nothing: str = "s3://tables/folder/tabel.csv"

    def put(self, content: bytes) -> None:
        put_object(self.endpoint, "tables", "folder/table.csv", content)

    def go_down(self) -> None:
        self.monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    with moto() as address:
        make_bucket(address, "tables")
        yield address


@pytest.mark.s3
class TestS3(RemoteContract):
    @pytest.fixture
    def place(self, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> RemotePlace:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        place = S3Place(s3_endpoint, monkeypatch)
        place.put(FIRST)
        return place


@dataclass
class AzurePlace:
    connection: str
    monkeypatch: pytest.MonkeyPatch
    table: str = "az://tables/folder/table.csv"
    nothing: str = "az://tables/folder/tabel.csv"

    def put(self, content: bytes) -> None:
        put_blob(self.connection, "tables", "folder/table.csv", content)

    def go_down(self) -> None:
        self.monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite_at(free_port()))


@pytest.fixture(scope="module")
def azure_connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with azurite(tmp_path_factory.mktemp("azurite")) as connection:
        make_container(connection, "tables")
        yield connection


@pytest.mark.azure
class TestAzureBlob(RemoteContract):
    @pytest.fixture
    def place(self, azure_connection: str, monkeypatch: pytest.MonkeyPatch) -> RemotePlace:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azure_connection)
        place = AzurePlace(azure_connection, monkeypatch)
        place.put(FIRST)
        return place
