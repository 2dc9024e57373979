"""Files that are here already."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from lightmodel.errors import ConfigError, DataError
from lightmodel.sources import local
from lightmodel.sources.base import FetchOptions
from tests.fakes.progress import Watching


@pytest.fixture
def options(tmp_path: Path) -> FetchOptions:
    return FetchOptions(tmp_path / "cache", "changed", "", 60.0, 0, Watching())


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    for name in ("b.csv", "a.csv", "deep/c.csv", "train 1.csv", "notes.md"):
        (folder / name).write_text(f"x\n{name}\n")
    return folder


def test_a_path_is_relative_to_the_working_folder_and_is_read_in_place(
    options: FetchOptions, data: Path
) -> None:
    fetched = local.fetch("data/a.csv", options)
    assert [path.absolute() for path in fetched.paths] == [data / "a.csv"]
    assert not options.cache.exists()


def test_a_path_may_begin_at_home(
    options: FetchOptions, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(data))
    assert local.fetch("~/a.csv", options).paths == (data / "a.csv",)


@pytest.mark.parametrize("form", ["file://{}", "file://localhost{}", "FILE://{}"])
def test_a_file_address_is_decoded(options: FetchOptions, data: Path, form: str) -> None:
    uri = form.format(f"{data}/train%201.csv")
    assert local.fetch(uri, options).paths == (data / "train 1.csv",)


@pytest.mark.parametrize("uri", ["file://server/share/a.csv", "file:a.csv"])
def test_a_file_address_of_another_machine_is_refused(options: FetchOptions, uri: str) -> None:
    with pytest.raises(ConfigError, match="another machine"):
        local.fetch(uri, options)


def test_a_glob_gives_its_files_in_the_order_of_their_names(options: FetchOptions) -> None:
    fetched = local.fetch("data/[ab].csv", options)
    assert [path.name for path in fetched.paths] == ["a.csv", "b.csv"]
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in fetched.paths]
    assert fetched.sha256 == hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    assert fetched.size == sum(path.stat().st_size for path in fetched.paths)


def test_a_glob_may_go_deep(options: FetchOptions) -> None:
    fetched = local.fetch("data/**/*.csv", options)
    assert [path.name for path in fetched.paths] == ["a.csv", "b.csv", "c.csv", "train 1.csv"]


def test_a_name_that_looks_like_a_glob_but_is_a_file_is_that_file(
    options: FetchOptions, data: Path
) -> None:
    (data / "[ab].csv").write_text("x\n")
    assert [path.name for path in local.fetch("data/[ab].csv", options).paths] == ["[ab].csv"]


@pytest.mark.parametrize(
    ("uri", "message", "hint"),
    [
        ("data/A.CSV", "no file", "data/a.csv"),
        ("data/trian 1.csv", "no file", "data/train 1.csv"),
        ("data/quite-different.parquet", "no file", "paths are relative to"),
        ("dta/a.csv", "no file", "no folder dta"),
        ("data/trian*.csv", "no file matches", "data/train 1.csv"),
        ("data", "is a folder", "a.csv, b.csv, train 1.csv"),
        ("data/d*", "matches only folders", "csv"),
        ("data/deep", "is a folder", "deep/*.csv"),
    ],
)
def test_the_error_for_a_misspelt_path_suggests_similar_names(
    options: FetchOptions, uri: str, message: str, hint: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        local.fetch(uri, options)
    assert hint in caught.value.hint


def test_the_error_for_a_folder_without_tables_says_so(
    options: FetchOptions, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        local.fetch("empty", options)
    assert "none in this folder" in caught.value.hint


def test_an_empty_file_is_no_table(options: FetchOptions, data: Path) -> None:
    (data / "a.csv").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        local.fetch("data/*.csv", options)


def test_the_hash_of_a_changed_file_is_refused(options: FetchOptions, data: Path) -> None:
    expected = replace(options, sha256=local.fetch("data/a.csv", options).sha256)
    (data / "a.csv").write_text("x\nz.csv\n")
    with pytest.raises(DataError, match=r"data\.sha256 expects"):
        local.fetch("data/a.csv", expected)


def test_a_file_that_may_not_be_read(
    options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # a test may run as root, whom nothing stops
    with pytest.raises(DataError, match=r"a\.csv cannot be read: Permission denied"):
        local.fetch("data/a.csv", options)
