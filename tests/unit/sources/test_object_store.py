"""An object that is read block by block is one object."""

from functools import partial
from pathlib import Path
from random import Random
from typing import NoReturn

import pytest

from lightmodel.sources import object_store
from lightmodel.sources.base import FetchOptions, FetchResult
from lightmodel.sources.cache import FileState
from lightmodel.sources.download import TransientFailure, download
from lightmodel.sources.object_store import ObjectStore
from tests.fakes.progress import Watching

PATH = "store/t.csv"
BODY = Random(5).randbytes(1000)
OTHER = Random(6).randbytes(1000)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "BLOCK_BYTES", 100)


class MemoryStore(ObjectStore):
    """Holds one object; something happens to it at the read that the test names."""

    def __init__(self, body: bytes, *, fails_at: int = -1, replaced_at: int = -1) -> None:
        super().__init__("memory://", 5.0)
        self.body, self.fails_at, self.replaced_at = body, fails_at, replaced_at
        self.reads: list[int] = []

    def info(self, path: str) -> FileState:
        assert path == PATH
        return FileState("t.csv", len(self.body), etag=f'"{hash(self.body)}"')

    def read(self, path: str, start: int, end: int) -> bytes:
        assert path == PATH
        self.reads.append(start)
        if len(self.reads) == self.fails_at:
            raise TransientFailure("it broke")
        if len(self.reads) == self.replaced_at:
            self.body = OTHER
        return self.body[start:end]

    def _connect(self) -> NoReturn:
        raise AssertionError("everything is in memory")

    async def _list(self, files: object, root: str) -> list[str]:
        raise AssertionError(f"{root} is not listed: {files}")

    def _translate(self, error: Exception) -> Exception:
        return error


def fetch(store: MemoryStore, tmp_path: Path) -> FetchResult:
    options = FetchOptions(tmp_path / "cache", "changed", "", 60.0, 1, Watching(), lambda _: None)
    return download(partial(store.open, PATH), "s3://store/t.csv", options)


def test_an_object_is_read_once_in_blocks(tmp_path: Path) -> None:
    store = MemoryStore(BODY)
    assert fetch(store, tmp_path).paths[0].read_bytes() == BODY
    assert store.reads == list(range(0, 1000, 100))


def test_a_broken_transfer_resumes_at_the_block_where_it_broke(tmp_path: Path) -> None:
    store = MemoryStore(BODY, fails_at=5)
    assert fetch(store, tmp_path).paths[0].read_bytes() == BODY
    assert store.reads == [0, 100, 200, 300, 400, 400, 500, 600, 700, 800, 900]


def test_a_block_that_comes_short_is_noticed(tmp_path: Path) -> None:
    class Short(MemoryStore):
        def read(self, path: str, start: int, end: int) -> bytes:
            return super().read(path, start, end)[: 50 if len(self.reads) == 10 else None]

    store = Short(BODY)
    assert fetch(store, tmp_path).paths[0].read_bytes() == BODY
    assert store.reads[-1] == 950


def test_an_object_that_is_replaced_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    store = MemoryStore(BODY, replaced_at=5)
    assert fetch(store, tmp_path).paths[0].read_bytes() == OTHER


def test_an_object_that_is_replaced_between_two_tries_is_read_from_its_beginning(
    tmp_path: Path,
) -> None:
    class Replaced(MemoryStore):
        def read(self, path: str, start: int, end: int) -> bytes:
            try:
                return super().read(path, start, end)
            except TransientFailure:
                self.body = OTHER
                raise

    store = Replaced(BODY, fails_at=5)
    assert fetch(store, tmp_path).paths[0].read_bytes() == OTHER
    assert store.reads[5] == 0
