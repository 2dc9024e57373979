"""Telling a web page from a table by its first bytes."""

from lightmodel.errors import DataError, QuotaExceeded

HEAD_BYTES = 4096
_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<meta", b"<title")
_QUOTA = ("quota exceeded", "too many users have viewed or downloaded this file")


def is_page(head: bytes) -> bool:
    """Say whether bytes that begin with `head` are HTML."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    while text.startswith((b"<!--", b"<?xml")):
        text = text.partition(b">")[2].lstrip()
    return text.startswith(_STARTS)


def page_error(uri: str, page: str) -> DataError | QuotaExceeded:
    """Give the error for a web page that came in place of a table.

    Args:
        uri: what was asked for, without secrets.
        page: as much of its text as is known.
    """
    if any(sign in page.lower() for sign in _QUOTA):
        return QuotaExceeded(
            f"{uri}: Drive's download quota for this file is used up",
            hint="wait (up to 24 hours), name other places of the file in data.mirrors, or make a copy "
            "of it in your own Drive and use the copy's link",
        )
    return DataError(
        f"{uri}: this is an HTML page: is the file shared with anyone who has the link?",
        hint="open the address in a private browser window: it must offer the file itself, without "
        "a login (on GitHub: the link behind “Raw”)",
    )
