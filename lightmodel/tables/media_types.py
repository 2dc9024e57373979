"""The names that clients give to the formats of rows and answers, in Content-Type and in Accept."""

from lightmodel.tables.file_forms import Form

JSON, JSON_LINES, CSV = "application/json", "application/x-ndjson", "text/csv"
FORM_FIELDS, FORM_FILES, PLAIN = (
    "application/x-www-form-urlencoded",  # curl --data-binary sends it for any file
    "multipart/form-data",
    "text/plain",  # a browser's fetch() sends it for JSON
)

_FORMS: dict[str, Form | None] = {  # None: it is detected
    JSON: "json",
    JSON_LINES: "json_lines",
    CSV: "csv",
    "text/tab-separated-values": "csv",
    "application/vnd.apache.parquet": None,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": None,
    "application/vnd.ms-excel": None,  # Windows' name for a CSV
    "application/gzip": None,
    "application/octet-stream": None,
    FORM_FIELDS: None,
    FORM_FILES: None,
    PLAIN: None,
}
_ALIASES = {
    JSON: ("application/x-json", "text/json", "text/x-json"),
    JSON_LINES: (
        *("application/ndjson", "application/jsonl", "application/x-jsonl", "text/x-ndjson"),
        *("application/jsonlines", "application/x-jsonlines", "application/json-lines"),
    ),
    CSV: (
        *("application/csv", "application/x-csv", "text/x-csv"),
        *("text/comma-separated-values", "text/x-comma-separated-values"),
    ),
    "text/tab-separated-values": ("text/tsv", "text/x-tsv", "application/x-tsv"),
    "application/vnd.apache.parquet": ("application/parquet", "application/x-parquet"),
    "application/gzip": ("application/x-gzip",),
    "application/octet-stream": ("binary/octet-stream",),
}
_REGISTERED = {alias: kind for kind, aliases in _ALIASES.items() for alias in aliases}


def registered(kind: str) -> str:
    """Return the name of a media type of which this is an alias, or else the type itself, in lower case."""
    bare = kind.partition(";")[0].strip().lower()
    return _REGISTERED.get(bare, bare)


def form_of(kind: str) -> Form | None:
    """Return the format that a Content-Type names; None if it has to be detected.

    Raises:
        KeyError: the type is none of rows.
    """
    return _FORMS[registered(kind)] if kind else None


def known_types() -> str:
    """Return the media types of rows, without their aliases, as a message lists them."""
    return ", ".join(sorted(_FORMS))
