"""Google Drive on loopback: the pages and the redirect that it puts in front of a file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.fakes.web import Asked, Reply, Web, one_after_another

HTML = {"Content-Type": "text/html; charset=utf-8"}
# On one line, as Drive sends it.
FORM = (
    "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>"
    '<p class="uc-warning-caption">Google Drive can\'t scan this file for viruses.</p>'
    '<p class="uc-warning-subcaption"><span class="uc-name-size"><a href="/open?id={id}">'
    "Quota exceeded.csv</a> (309M)</span> is too large for Google to scan for viruses.</p>"
    '<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">'
    '<input type="submit" id="uc-download-link" value="Download anyway"/>'
    '<input type="hidden" name="id" value="{id}"><input type="hidden" name="export" value="download">'
    '<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="{uuid}">'
    "</form></body></html>"
)
UUID = "0c9e3ad7-5b1e-4d0a-9d5e-3f2f8e1f6c11"
QUOTA = (
    "<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>"
    '<p class="uc-error-caption">Sorry, you can&#39;t view or download this file at this time.</p>'
    '<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. '
    "Please try accessing the file again later.</p></body></html>"
)
SIGN_IN = (
    "<!doctype html><html><head><title>Google Drive: Sign-in</title></head><body></body></html>"
)
MISSING = "<html><head><title>Error 404 (Not Found)!!1</title></head><body></body></html>"


def page(text: str, status: int = 200) -> Reply:
    """Return an HTML page."""
    return Reply(text.encode(), status, HTML)


@dataclass
class Drive:
    """The content of this Drive: `files` by id; those in `scanned` are behind the virus-scan form.

    `sheets` are Google's own spreadsheets, by id, with each sheet's CSV by its gid.
    """

    files: dict[str, Callable[[Asked], Reply]] = field(default_factory=dict)
    too_big_to_scan: set[str] = field(default_factory=set)
    sheets: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def put(self, name: str, *replies: Reply, too_big_to_scan: bool = False) -> None:
        """Make the file `name` answer with these replies, one after another."""
        self.files[name] = one_after_another(*replies)
        if too_big_to_scan:
            self.too_big_to_scan.add(name)

    def serve(self) -> Web:
        """Return a server that answers as this Drive."""
        return Web(self.answer)

    def answer(self, asked: Asked) -> Reply:
        """Answer as drive.google.com, docs.google.com or drive.usercontent.google.com."""
        match asked.host.partition(":")[0], asked.path:
            case "drive.google.com" | "docs.google.com", "/uc":
                return self._uc(asked)
            case "drive.google.com", "/open":
                return self._open(asked)
            case "drive.usercontent.google.com", "/download":
                return self._download(asked)
            case "docs.google.com", path if path.startswith("/spreadsheets/d/"):
                return self._sheet(asked)
            case "accounts.google.com", _:
                return page(SIGN_IN)
            case _:
                return page(MISSING, 404)

    def _uc(self, asked: Asked) -> Reply:
        if asked.query["id"] in self.sheets:
            return page("<html>Sorry, unable to open the file at this time.</html>", 500)
        query = urlencode({"id": asked.query["id"], "export": "download"})
        return _redirect(f"https://drive.usercontent.google.com/download?{query}")

    def _open(self, asked: Asked) -> Reply:
        if asked.query["id"] in self.sheets:
            return _redirect(f"https://docs.google.com/spreadsheets/d/{asked.query['id']}/edit")
        return page(
            "<!DOCTYPE html><html><head><title>table.csv - Google Drive</title></head></html>"
        )

    def _download(self, asked: Asked) -> Reply:
        name = asked.query["id"]
        if name not in self.files:
            return page(MISSING, 404)
        if name in self.too_big_to_scan and (
            asked.query.get("confirm"),
            asked.query.get("uuid"),
        ) != ("t", UUID):
            return page(FORM.format(id=name, uuid=UUID))
        return self.files[name](asked)

    def _sheet(self, asked: Asked) -> Reply:
        name, action = asked.path.split("/")[3:5]
        if action != "export":
            return page("<!DOCTYPE html><html><head><title>Sheet</title></head></html>")
        if asked.query.get("format") != "csv":
            return page(MISSING, 404)
        headers = {
            "Content-Type": "text/csv",
            "Content-Disposition": 'attachment; filename="Sheet.csv"',
        }
        content = self.sheets[name][asked.query.get("gid", "0")]
        return Reply(content, headers=headers, announce="chunked", ranges=False)


def _redirect(address: str) -> Reply:
    return Reply(b"", 303, {"Location": address})


def private() -> Reply:
    """Return the answer for a file that is not shared with anyone who has the link."""
    return _redirect("https://accounts.google.com/ServiceLogin")
