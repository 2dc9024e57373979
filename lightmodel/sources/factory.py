"""Choosing the source that an address belongs to, and trying its mirrors in order."""

import difflib
import logging
import re
from collections.abc import Sequence

from lightmodel.config.redact import redacted
from lightmodel.errors import (
    ConfigError,
    DataError,
    LightModelError,
    SourceUnavailable,
)
from lightmodel.sources.base import Fetched, FetchOptions, Source
from lightmodel.sources.cache import Entry
from lightmodel.sources.drive_links import is_drive, parse_link

SCHEMES = ("file", "https", "http", "gdrive", "s3", "az", "sklearn", "sample")
# one letter before the colon is a drive of Windows, not a scheme
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")

logger = logging.getLogger(__name__)


def source_for(uri: str) -> Source:
    """Give the source that `uri` belongs to; its libraries are loaded only now.

    Raises:
        ConfigError: the scheme is unknown.
    """
    match scheme_of(uri):
        case "file":
            from lightmodel.sources.local import Local

            return Local()
        case "https" | "http":
            from lightmodel.sources.http import Http

            return Http()
        case "gdrive":
            from lightmodel.sources.gdrive import GoogleDrive

            return GoogleDrive()
        case "s3":
            from lightmodel.sources.s3 import S3

            return S3()
        case "az":
            from lightmodel.sources.azure_blob import AzureBlob

            return AzureBlob()
        case "sklearn" | "sample":
            from lightmodel.sources.bundled import Bundled

            return Bundled()
        case unknown:
            raise ConfigError(
                f"{redacted(uri)}: {unknown}:// is not a kind of address known here",
                hint=_known_schemes(unknown),
            )


def scheme_of(uri: str) -> str:
    """Give the kind of an address in lower case: `file` for paths, `gdrive` for any Drive link."""
    if is_drive(uri):
        return "gdrive"
    found = _SCHEME.match(uri)
    if found is None:
        return "file"
    scheme = found[1].lower()
    if found[2] or scheme == "file":
        return scheme
    if scheme in SCHEMES:
        raise ConfigError(f"{redacted(uri)}: two slashes are missing", hint=f"write {scheme}://…")
    return "file"


def _known_schemes(unknown: str) -> str:
    close = difflib.get_close_matches(unknown, SCHEMES, n=1)
    known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    meant = f"did you mean {close[0]}://? " if close else ""
    return f"{meant}known are {known} and plain paths"


def fetch_first(uris: Sequence[str], options: FetchOptions) -> Fetched:
    """Bring a table from the first of `uris` that has it: the source, then its mirrors.

    Raises:
        ConfigError, StorageFull: at once; another place would not help.
        SourceUnavailable: all failed, and for one of them trying again later may help.
        QuotaExceeded: all failed, each because its quota is used up.
        DataError: none of them has what was asked for.
    """
    sources = {uri: source_for(uri) for uri in uris}  # a misspelt mirror is told now, not in need
    in_order = list(sources)
    if options.refresh == "never" and len(uris) > 1:
        in_order.sort(key=lambda uri: not _is_here(uri, options))
    failures: list[LightModelError] = []
    for uri in in_order:
        try:
            fetched = sources[uri].fetch(uri, options)
        except (SourceUnavailable, DataError) as error:
            failures.append(error)
            if len(uris) > 1:
                logger.warning("%s; %s", error.message, _what_is_left(len(failures), len(in_order)))
        else:
            if len(uris) > 1:
                logger.info("the table comes from %s", _place(uri, uris[0]))
            return fetched
    raise _all_failed(failures)


def _is_here(uri: str, options: FetchOptions) -> bool:
    key = parse_link(uri).uri if is_drive(uri) else uri
    return Entry(options.cache, key).held(options.sha256) is not None


def _what_is_left(failed: int, places: int) -> str:
    return "trying the next place" if failed < places else "no place is left to try"


def _place(uri: str, first: str) -> str:
    return f"the source, {redacted(uri)}" if uri == first else f"the mirror {redacted(uri)}"


def _all_failed(failures: list[LightModelError]) -> LightModelError:
    if len(failures) == 1:
        return failures[0]
    kinds = {type(failure) for failure in failures}
    passing = any(issubclass(kind, SourceUnavailable) for kind in kinds)
    kind = kinds.pop() if len(kinds) == 1 else SourceUnavailable if passing else DataError
    lines = [f"  - {failure.message}" for failure in failures]
    hints = dict.fromkeys(failure.hint for failure in failures if failure.hint)
    head = f"neither the source nor its {len(failures) - 1} mirror(s) gave the table:"
    return kind("\n".join([head, *lines]), hint="; ".join(hints))
