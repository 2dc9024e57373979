"""Local tables: a path, a glob, or a file:// address. They are read in place, never copied."""

import difflib
import glob
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from lightmodel.config.base import redacted
from lightmodel.errors import ConfigError, DataError
from lightmodel.files import sha256_of
from lightmodel.sources.base import FetchOptions, FetchResult

SHOWN = 3
_TABLES = (".csv", ".tsv", ".txt", ".gz", ".parquet", ".jsonl", ".ndjson", ".json", ".xlsx")


def fetch(uri: str, options: FetchOptions) -> FetchResult:
    """Return the files that `uri` names, in the order of their names; see `Source`."""
    paths = _matches(path_of(uri))
    sizes = [_size(path) for path in paths]
    sha256 = joint_hash(_hashes(paths))
    refuse_hash(uri, sha256, options.sha256)
    return FetchResult(paths, redacted(uri), sha256, sum(sizes), etag="", changed=False)


def table_files(uri: str) -> tuple[Path, ...]:
    """Return the files that a path, a glob or a folder names: of a folder, the tables in it.

    Raises:
        DataError: there are none, or one is empty.
    """
    path = path_of(uri)
    if path.is_dir():
        tables = [path / name for name in _names_in(path) if is_table(name)]
        files = tuple(file for file in tables if file.is_file())
        if not files:
            raise DataError(f"no file in {path} looks like a table", hint="name the files: a glob")
    else:
        files = _matches(path)
    for file in files:
        _size(file)
    return files


def is_table(name: str) -> bool:
    """Return whether a file of this name looks like a table."""
    return name.lower().endswith(_TABLES) and not name.startswith(".")


def path_of(uri: str) -> Path:
    """Return the path that a path or a file:// address names.

    Raises:
        ConfigError: it is on another machine.
    """
    if not uri.lower().startswith("file:"):
        return Path(uri).expanduser()
    parts = urlsplit(uri)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ConfigError(
            f"{redacted(uri)} names a file on another machine",
            hint="write file:///folder/table.csv, with three slashes, or the plain path",
        )
    return Path(url2pathname(parts.path))


def _matches(path: Path) -> tuple[Path, ...]:
    if path.is_file():
        return (path,)
    if path.is_dir():
        raise DataError(f"{path} is a folder, and a table is a file", hint=_hint_in_folder(path))
    magic = glob.has_magic(str(path))
    # Path.glob needs a relative pattern, and the pattern here may begin anywhere
    names = glob.glob(str(path), recursive=True) if magic else []  # noqa: PTH207 — see above
    files = tuple(Path(name) for name in sorted(set(names)) if Path(name).is_file())
    if files:
        return files
    if names:
        raise DataError(
            f"{path} matches only folders", hint=f"write {path}/*.csv for the files in them"
        )
    if magic:
        raise DataError(f"no file matches {path}", hint=_similar_names(_without_wildcards(path)))
    raise DataError(f"there is no file {path}", hint=_similar_names(path))


def _without_wildcards(pattern: Path) -> Path:
    """Return the pattern up to its first wildcard, with the wildcards themselves taken out."""
    parts = []
    for part in pattern.parts:
        parts.append(re.sub(r"[*?\[\]]", "", part))
        if glob.has_magic(part):
            break
    return Path(*parts)


def _hint_in_folder(folder: Path) -> str:
    tables = [name for name in _names_in(folder) if is_table(name)]
    if not tables:
        return "name the file; none in this folder looks like a table"
    more = f" and {len(tables) - SHOWN} more" if len(tables) > SHOWN else ""
    return f"name a file in it ({', '.join(tables[:SHOWN])}{more}), or all of one kind: {folder / '*.csv'}"


def _similar_names(path: Path) -> str:
    parent = path.parent
    if not parent.is_dir():
        return f"there is no folder {parent} either; paths are relative to {Path.cwd()}"
    # in lower case: a wrong case is the most common mistake
    names = {name.lower(): name for name in _names_in(parent)}
    close = difflib.get_close_matches(path.name.lower(), names, n=SHOWN, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(str(parent / names[name]) for name in close)}?"
    return f"nothing in {parent.absolute()} has a similar name; paths are relative to {Path.cwd()}"


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def _size(path: Path) -> int:
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"{path} is empty", hint="check whether it was written completely")
    return size


def _hashes(paths: tuple[Path, ...]) -> list[str]:
    try:
        return [sha256_of(path) for path in paths]
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read: {error.strerror}",
            hint="check the permissions of the file (ls -l)",
        ) from error


def joint_hash(hashes: Sequence[str]) -> str:
    """Return the hash of a table of one file or several, by those of its files."""
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def refuse_hash(name: str, sha256: str, expected: str) -> None:
    """Raise DataError if the table of this name has another hash than expected ("": any)."""
    if expected not in {"", sha256}:
        raise DataError(
            f"{name}: the sha256 is {sha256}, but data.sha256 expects {expected}",
            hint="if the file was meant to change, set data.sha256 to the new hash (or to an empty "
            "string)",
        )
