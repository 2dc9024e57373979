"""Naming a file as its source does, in one safe path component: its ending says how to read it."""

import re
from email.message import Message
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

MAX_BYTES = 120
FALLBACK = "table"
_RESERVED = frozenset({"source.json", "download.json"})
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_EXTENDED = re.compile(r"(?i)filename\*\s*=\s*utf-8'[^']*'([^;\s]+)")
_ENDINGS = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.apache.parquet": ".parquet",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}


def safe_name(name: str) -> str:
    """Give `name` as one path component that is harmless everywhere and collides with nothing of ours."""
    last = re.split(r"[/\\]", name)[-1]
    plain = re.sub(r"[^\w.()+=, -]", "_", last).strip(" .")
    plain = _shortened(plain) or FALLBACK
    if plain.lower().endswith((".part", ".lock")):
        return f"{plain}_"
    if plain.lower() in _RESERVED or _DEVICES.match(plain):
        return f"{FALLBACK}-{plain}"
    return plain


def _shortened(name: str) -> str:
    excess = len(name.encode()) - MAX_BYTES
    if excess <= 0:
        return name
    ending = "".join(PurePosixPath(name).suffixes[-2:])
    if len(ending.encode()) > MAX_BYTES // 2:
        ending = ""
    stem = name.removesuffix(ending).encode()[: MAX_BYTES - len(ending.encode())]
    return stem.decode(errors="ignore") + ending


def name_from_disposition(header: str) -> str:
    """Give the file name in a Content-Disposition header, or ""."""
    extended = _EXTENDED.search(header)
    if extended:
        return unquote(extended[1])
    message = Message()
    # http.client reads headers as Latin-1, but many servers send UTF-8
    message["Content-Disposition"] = _repaired(header)
    return message.get_filename() or ""


def _repaired(text: str) -> str:
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def name_from_url(url: str) -> str:
    """Give the last part of a URL's path, decoded, or ""."""
    return PurePosixPath(unquote(urlsplit(url).path)).name


def best_name(*names: str) -> str:
    """Give the first name that has an ending, else the first that is not empty, else ""."""
    given = [name for name in names if name]
    return next((name for name in given if PurePosixPath(name).suffix), next(iter(given), ""))


def with_ending(name: str, content_type: str) -> str:
    """Add the ending that belongs to a media type to a name without one."""
    if PurePosixPath(name).suffix:
        return name
    kind = content_type.partition(";")[0].strip().lower()
    return (name or FALLBACK) + _ENDINGS.get(kind, "")
