"""The addresses of the pages: each can be opened, bookmarked and sent to somebody."""

from collections.abc import Sequence
from pathlib import Path

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from lightmodel.console.pages import Page

_PAGE = Path(streamlit.__file__).parent / "static" / "index.html"
_BEFORE = "<head>"
# Streamlit's script would first look for the server below the address of the page: two errors in the
# browser's console at each visit. This says where it is; the addresses of files are relative to it, too.
_SERVER = (
    '<script>window.__streamlit = {BACKEND_BASE_URL: new URL("./", location.href).href}</script>'
)


def routes(pages: Sequence[Page], base_path: str) -> list[Route]:
    """Return the routes of the pages; the first one is at the root, and its own address leads there."""
    base = f"/{base_path}" if base_path else ""
    html = _PAGE.read_text("utf-8").replace(_BEFORE, _BEFORE + _SERVER, 1)

    async def page(_: Request) -> Response:
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

    async def first(_: Request) -> Response:
        return RedirectResponse(f"{base}/")

    return [
        Route(f"{base}/{pages[0].path}", first, methods=["GET"]),
        *(Route(f"{base}/{one.path}", page, methods=["GET"]) for one in pages[1:]),
    ]
