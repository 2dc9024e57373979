"""Writes are atomic, and errors of the operating system become errors with a hint."""

import errno
from pathlib import Path

import pytest

from lightmodel.errors import ConfigError, LightModelError, StorageFull
from lightmodel.files import (
    atomic_path,
    check_writable,
    sha256_of,
    translate_os_errors,
    write_atomic,
)


def test_a_file_is_replaced_in_one_step() -> None:
    path = Path("table.csv")
    write_atomic(path, b"old")
    with atomic_path(path) as part:
        part.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(Path().iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_only_the_old_file(
    error: type[BaseException],
) -> None:
    path = Path("table.csv")
    write_atomic(path, b"old")

    def interrupted() -> None:
        with atomic_path(path) as part:
            part.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(Path().iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EACCES, ConfigError),
        (errno.EROFS, ConfigError),
        (errno.ENOTDIR, ConfigError),
        (errno.EISDIR, ConfigError),
        (errno.EBUSY, ConfigError),
        (errno.ENAMETOOLONG, ConfigError),
    ],
)
def test_an_error_of_the_operating_system_gets_a_hint(
    number: int, kind: type[LightModelError]
) -> None:
    with pytest.raises(kind) as caught, translate_os_errors(Path("folder/table.csv")):
        raise OSError(number, "refused")
    assert "folder" in caught.value.message
    assert caught.value.hint


def test_any_other_error_of_the_operating_system_is_not_translated() -> None:
    with pytest.raises(FileNotFoundError), translate_os_errors(Path("table.csv")):
        raise FileNotFoundError(errno.ENOENT, "a bug of ours")


@pytest.mark.parametrize("path", ["gone/table.csv", f"{'x' * 300}.csv", "folder"])
def test_a_file_that_has_no_place_is_an_error_with_a_hint(path: str) -> None:
    Path("folder").mkdir()
    (Path("folder") / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written to"):
        write_atomic(Path(path), b"")


def test_that_a_file_can_be_written_is_checked_without_a_trace() -> None:
    check_writable(Path("a/b/table.csv"))
    assert list(Path("a/b").iterdir()) == []
    Path("file").touch()
    for path in ("file/table.csv", f"a/{'x' * 300}", "/dev/null/table.csv"):
        with pytest.raises(ConfigError, match="cannot be written to"):
            check_writable(Path(path))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no such file system")
@pytest.mark.parametrize("path", ["/proc/there is no/x.html", "/proc/x.html"])
def test_where_no_file_can_ever_be_the_error_says_so(path: str) -> None:
    with pytest.raises(ConfigError, match="/proc"):
        check_writable(Path(path))


def test_the_hash_is_that_of_the_bytes() -> None:
    Path("x").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(Path("x")) == expected
