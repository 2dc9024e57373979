"""Reading a link to Google Drive in any of the forms in which people copy it."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from lightmodel.config.redact import redacted
from lightmodel.errors import ConfigError

HOSTS = frozenset(
    {"drive.google.com", "docs.google.com", "sheets.google.com", "drive.usercontent.google.com"}
)
_ID = re.compile(r"[A-Za-z0-9_-]+")
_PREFIX = re.compile(r"^(/a/[^/]+)?(/u/\d+)?(?=/)")
_FOLDERS = frozenset({"folders", "folderview", "embeddedfolderview", "my-drive", "shared-with-me"})
_NOT_TABLES = frozenset({"document", "presentation", "drawings", "forms"})
_BY_QUERY = frozenset({"open", "uc", "download", "leaf", "viewer", "viewerng"})


@dataclass(frozen=True)
class DriveLink:
    """What a link names: a file, one sheet of a spreadsheet, or one that was published to the web."""

    id: str
    kind: str = "file"  # file | sheet | published
    sheet: str = ""
    resource_key: str = ""

    @property
    def uri(self) -> str:
        """The one form to which all forms of this link are brought."""
        if self.kind != "file":
            return self.url
        query = urlencode({"resourcekey": self.resource_key}) if self.resource_key else ""
        return f"gdrive://{self.id}" + (f"?{query}" if query else "")

    @property
    def url(self) -> str:
        """Where to ask for the bytes."""
        key = {"resourcekey": self.resource_key} if self.resource_key else {}
        sheet = {"gid": self.sheet} if self.sheet else {}
        if self.kind == "file":
            query = {"id": self.id, "export": "download"} | key
            return f"https://drive.google.com/uc?{urlencode(query)}"
        if self.kind == "published":
            query = {"output": "csv"} | sheet
            return f"https://docs.google.com/spreadsheets/d/e/{self.id}/pub?{urlencode(query)}"
        query = {"format": "csv"} | sheet | key
        return f"https://docs.google.com/spreadsheets/d/{self.id}/export?{urlencode(query)}"


def is_drive(uri: str) -> bool:
    """Say whether an address is one of Drive's, with or without its scheme."""
    if uri.lower().startswith("gdrive:"):
        return True
    address = uri if "://" in uri else f"https://{uri}"
    try:
        parts = urlsplit(address)
        return parts.scheme.lower() in {"http", "https"} and parts.hostname in HOSTS
    except ValueError:
        return False


def parse_link(uri: str) -> DriveLink:
    """Read a link.

    Raises:
        ConfigError: it names a folder, a document that is no table, or nothing.
    """
    if uri.lower().startswith("gdrive:"):
        return _short_link(uri)
    parts = urlsplit(uri if "://" in uri else f"https://{uri}")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    path = [part for part in _PREFIX.sub("", parts.path).split("/") if part]
    named = "d" in path[:-1]  # …/d/<id>
    _refuse_what_is_no_table(uri, path[: path.index("d")] if named else path)
    key = _checked(uri, query.get("resourcekey", ""))
    if named:
        return _by_path(uri, path, _gid(query, parts.fragment), key)
    if path and path[-1] in _BY_QUERY and "id" in query:
        return DriveLink(_checked(uri, query["id"], needed=True), resource_key=key)
    raise _unclear(uri)


def _short_link(uri: str) -> DriveLink:
    rest = uri.partition(":")[2].removeprefix("//")
    if "/" in rest.rstrip("/"):
        raise _unclear(uri)
    name, _, query = rest.partition("?")
    key = parse_qs(query).get("resourcekey", [""])[-1]
    return DriveLink(_checked(uri, name.rstrip("/"), needed=True), resource_key=_checked(uri, key))


def _by_path(uri: str, path: list[str], sheet: str, key: str) -> DriveLink:
    tail = path[path.index("d") + 1 :]
    if path[0] != "spreadsheets":
        return DriveLink(_checked(uri, tail[0], needed=True), resource_key=key)
    if tail[0] == "e" and len(tail) > 1:
        return DriveLink(_checked(uri, tail[1], needed=True), "published", sheet)
    return DriveLink(_checked(uri, tail[0], needed=True), "sheet", sheet, key)


def _gid(query: dict[str, str], fragment: str) -> str:
    found = re.search(r"(?:^|&)gid=(\d+)", fragment)
    sheet = query.get("gid") or (found[1] if found else "")
    return sheet if sheet.isascii() and sheet.isdigit() else ""


def _refuse_what_is_no_table(uri: str, path: list[str]) -> None:
    if _FOLDERS.intersection(path):
        raise ConfigError(
            f"{redacted(uri)} is a folder on Drive, and a table is one file",
            hint="open the folder, choose the file, and copy its own link (Share → Copy link)",
        )
    if path and path[0] in _NOT_TABLES:
        raise ConfigError(
            f"{redacted(uri)} is a Google {path[0].rstrip('s')}, not a table",
            hint="name a CSV, Parquet, JSON Lines or Excel file, or a Google spreadsheet",
        )


def _checked(uri: str, text: str, *, needed: bool = False) -> str:
    if (not text and not needed) or _ID.fullmatch(text):
        return text
    raise _unclear(uri)


def _unclear(uri: str) -> ConfigError:
    return ConfigError(
        f"no file can be made out in the Drive address {redacted(uri)}",
        hint="write gdrive:// and the id (letters, digits, - and _), which in the file's link stands "
        "between /d/ and /view; or paste the whole link",
    )
