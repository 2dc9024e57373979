"""Tables in S3 and in Azure Storage: an object, the objects that a glob matches, or those in a folder."""

import glob
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from lightmodel.config.base import redacted
from lightmodel.errors import ConfigError, DataError
from lightmodel.sources.base import FetchOptions, FetchResult
from lightmodel.sources.cache import FileState, PartialFile
from lightmodel.sources.download import Answer, download
from lightmodel.sources.local import is_table, joint_hash, refuse_hash
from lightmodel.sources.object_store import ObjectStore, open_store


def fetch(uri: str, options: FetchOptions) -> FetchResult:
    """Download the objects that `uri` names, in the order of their names; see `Source`."""
    path = uri.partition("://")[2]
    bucket, _, key = path.partition("/")
    store = open_store(uri, options.timeout_s)
    if not bucket or not key or glob.has_magic(bucket):
        raise ConfigError(f"{store.safe_uri} names no object", hint=f"write {store.example}")
    if glob.has_magic(key):
        return _fetch_several(_Listing(store, path), uri, options)
    if key.endswith("/"):
        return _fetch_several(_Listing(store, f"{path}*", is_table), uri, options)
    return download(partial(store.open, path), uri, options)


def is_named(uri: str, other: str) -> bool:
    """Return whether the object of the address `other` is among those that `uri` names."""
    pattern = f"{uri}*" if uri.endswith("/") else uri
    return uri == other or (glob.has_magic(pattern) and _matcher(pattern)(other) is not None)


def _matcher(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """Return what tells whether a path matches; `*` ends at a slash, `**` does not."""
    from fsspec.utils import glob_translate

    return re.compile(glob_translate(pattern)).match


@dataclass(frozen=True)
class _Listing:
    """The paths of all objects that a pattern matches, as a file to download."""

    store: ObjectStore
    pattern: str
    is_wanted: Callable[[str], bool] = bool  # of a name without its folder

    @contextmanager
    def __call__(self, _: FileState | None, __: PartialFile | None) -> Iterator[Answer]:
        """Ask the store; see `Remote`."""
        paths = self._paths()
        if not paths:
            raise DataError(
                f"{self.store.safe_uri}: no object matches",
                hint=f"`*` ends at a slash, and `**` does not; check the spelling: {self.store.example}",
            )
        content = json.dumps(paths).encode()
        state = FileState("objects.json", len(content), hashlib.sha256(content).hexdigest())
        yield Answer(state, [content])

    def _paths(self) -> list[str]:
        root = re.split(r"[*?\[]", self.pattern)[0].rpartition("/")[0]
        found = filter(_matcher(self.pattern), self.store.listing(root))
        return sorted(path for path in found if self.is_wanted(path.rpartition("/")[2]))


def _fetch_several(listing: _Listing, uri: str, options: FetchOptions) -> FetchResult:
    """Download objects that together are one table; each of them, and their list, is cached by itself."""
    each = replace(options, sha256="")
    listed = download(listing, uri, each)
    scheme, paths = uri.partition("://")[0], json.loads(listed.paths[0].read_bytes())
    parts = [
        download(partial(listing.store.open, path), f"{scheme}://{path}", each) for path in paths
    ]
    sha256 = joint_hash([part.sha256 for part in parts])
    refuse_hash(listing.store.safe_uri, sha256, options.sha256)
    files = tuple(path for part in parts for path in part.paths)
    changed = listed.changed or any(part.changed for part in parts)
    return FetchResult(files, redacted(uri), sha256, sum(part.size for part in parts), "", changed)
