"""Find the files of an input: local ones in place, others by the sources of `data.source`."""

from dataclasses import dataclass
from pathlib import Path

from lightmodel.config import Config
from lightmodel.config.base import redacted
from lightmodel.progress import Progress
from lightmodel.sources.base import FetchOptions
from lightmodel.sources.factory import scheme_of, source_for
from lightmodel.sources.local import table_files


@dataclass(frozen=True)
class InputFiles:
    """The files of an input.

    Attributes:
        name: what was asked for, without secrets.
        paths: in the order of their rows.
        fingerprint: changes with the content of any of them.
        size: of all together, in bytes.
    """

    name: str
    paths: tuple[Path, ...]
    fingerprint: list[list[str | int]]
    size: int

    def changed(self) -> bool:
        """Return whether a file is no longer as it was."""
        return _fingerprint(self.paths) != self.fingerprint


def open_input(uri: str, config: Config, progress: Progress) -> InputFiles:
    """Return the files that a path, a glob, a folder or an address names.

    Raises:
        DataError, ConfigError, SourceUnavailable: there are none, or they cannot be had.
    """
    if scheme_of(uri) == "file":
        paths = table_files(uri)
    else:
        data = config.data
        cache = config.store.work / "cache"
        options = FetchOptions(cache, data.refresh, "", data.timeout_s, data.retries, progress)
        paths = source_for(uri)(uri, options).paths
    fingerprint = _fingerprint(paths)
    return InputFiles(redacted(uri), paths, fingerprint, sum(int(one[1]) for one in fingerprint))


def _fingerprint(paths: tuple[Path, ...]) -> list[list[str | int]]:
    """Return path, size and time of change of each file: hashes would cost a second reading."""
    states = [(str(path.resolve()), path.stat()) for path in paths]
    return [[name, state.st_size, state.st_mtime_ns] for name, state in states]
