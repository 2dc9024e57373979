"""Choose the source that an address belongs to, and try its mirrors in order."""

import difflib
import logging
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from lightmodel.config import Config
from lightmodel.config.base import redacted
from lightmodel.errors import ConfigError, DataError, LightModelError, SourceUnavailable
from lightmodel.progress import Progress
from lightmodel.sources.base import FetchOptions, FetchResult, Source
from lightmodel.sources.cache import CacheEntry

SCHEMES = ("file", "https", "http", "gdrive", "s3", "az", "sklearn", "sample")
_DRIVE_HOSTS = frozenset(
    {"drive.google.com", "docs.google.com", "sheets.google.com", "drive.usercontent.google.com"}
)
# one letter before the colon is a Windows drive, not a scheme
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")

logger = logging.getLogger(__name__)


def source_for(uri: str) -> Source:
    """Return the source that `uri` belongs to; its libraries are loaded only now.

    Raises:
        ConfigError: the scheme is unknown.
    """
    scheme = scheme_of(uri)
    if scheme == "file":
        from lightmodel.sources.local import fetch
    elif scheme in {"https", "http"}:
        from lightmodel.sources.http import fetch
    elif scheme == "gdrive":
        from lightmodel.sources.gdrive import fetch
    elif scheme in {"s3", "az"}:
        from lightmodel.sources.objects import fetch
    elif scheme in {"sklearn", "sample"}:
        from lightmodel.sources.bundled import fetch
    else:
        raise ConfigError(
            f"{redacted(uri)}: the scheme {scheme}:// is unknown",
            hint=_known_schemes(scheme),
        )
    return fetch


def scheme_of(uri: str) -> str:
    """Return an address's scheme in lower case: `file` for paths, `gdrive` for any Drive link."""
    if is_drive(uri):
        return "gdrive"
    match = _SCHEME.match(uri)
    if match is None:
        return "file"
    scheme = match[1].lower()
    if match[2] or scheme == "file":
        return scheme
    if scheme in SCHEMES:
        raise ConfigError(f"{redacted(uri)}: two slashes are missing", hint=f"write {scheme}://…")
    return "file"


def is_drive(uri: str) -> bool:
    """Return whether an address is a Google Drive link, with or without its scheme."""
    if uri.lower().startswith("gdrive:"):
        return True
    address = uri if "://" in uri else f"https://{uri}"
    try:
        parts = urlsplit(address)
        return parts.scheme.lower() in {"http", "https"} and parts.hostname in _DRIVE_HOSTS
    except ValueError:
        return False


def _known_schemes(unknown: str) -> str:
    close = difflib.get_close_matches(unknown, SCHEMES, n=1)
    known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    meant = f"did you mean {close[0]}://? " if close else ""
    return f"{meant}known are {known} and plain paths"


def fetch_table(config: Config, progress: Progress) -> FetchResult:
    """Fetch the files that `data.source` or one of its mirrors names.

    Raises:
        SourceUnavailable, QuotaExceeded: no location can deliver them now.
        DataError: no location has them.
    """
    data = config.data
    cache = config.store.work / "cache"
    options = FetchOptions(cache, data.refresh, data.sha256, data.timeout_s, data.retries, progress)
    return fetch_first((data.source, *data.mirrors), options)


def fetch_first(uris: Sequence[str], options: FetchOptions) -> FetchResult:
    """Fetch a table from the first of `uris` that has it: the source, then its mirrors.

    Raises:
        ConfigError, StorageFull: at once; a mirror would not help.
        SourceUnavailable: all failed, and for one of them a later try may help.
        QuotaExceeded: all failed, each because its quota is used up.
        DataError: none of them has what was asked for.
    """
    sources = {uri: source_for(uri) for uri in uris}  # a misspelt mirror is reported in any case
    in_order = list(sources)
    if options.refresh == "never" and len(uris) > 1:
        in_order.sort(key=lambda uri: not _is_cached(uri, options))
    failures: list[LightModelError] = []
    for number, uri in enumerate(in_order, start=1):
        try:
            fetched = sources[uri](uri, options)
        except (SourceUnavailable, DataError) as error:
            failures.append(error)
            rest = "trying the next address" if number < len(in_order) else "no address is left"
            if len(uris) > 1:
                logger.warning("%s; %s", error.message, rest)
        else:
            if len(uris) > 1:
                place = "source," if uri == uris[0] else "mirror"
                logger.info("the table comes from the %s %s", place, redacted(uri))
            return fetched
    raise _all_failed(failures)


def _is_cached(uri: str, options: FetchOptions) -> bool:
    if is_drive(uri):
        from lightmodel.sources.gdrive import parse_link

        uri = parse_link(uri).uri
    return CacheEntry(options.cache, uri).cached(options.sha256) is not None


def _all_failed(failures: list[LightModelError]) -> LightModelError:
    if len(failures) == 1:
        return failures[0]
    kinds = {type(failure) for failure in failures}
    may_pass = any(issubclass(kind, SourceUnavailable) for kind in kinds)
    kind = kinds.pop() if len(kinds) == 1 else SourceUnavailable if may_pass else DataError
    lines = [f"  - {failure.message}" for failure in failures]
    hints = dict.fromkeys(failure.hint for failure in failures if failure.hint)
    head = f"neither the source nor its {len(failures) - 1} mirror(s) provided the table:"
    return kind("\n".join([head, *lines]), hint="; ".join(hints))
