"""What every answer carries, and the line that the log has about it."""

import logging
import random
import re
import time

from flask import Flask, Response, g, request
from werkzeug.exceptions import BadRequest

from lightmodel.config import ServeSection
from lightmodel.service.request_body import Incoming

logger = logging.getLogger("lightmodel.access")

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def init_app(app: Flask, limits: ServeSection) -> None:
    """Give each request an id, each answer its headers, and the log a line about both."""

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if _ID.fullmatch(given) else new_id()

    @app.after_request
    def finish(response: Response) -> Response:
        if response.status_code >= BadRequest.code:
            read_away(limits)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-ID"] = g.request_id
        return response

    @app.after_request
    def tell(response: Response) -> Response:
        logger.info(
            "%s %s %d",
            request.method,
            request.path,
            response.status_code,
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "ms": round((time.perf_counter() - g.started) * 1e3, 2),
                **{name: g.get(name) for name in ("rows", "version", "error") if name in g},
            },
        )
        return response


def read_away(limits: ServeSection) -> None:
    """Read what an error left of the body, so that the client sees the answer and not a reset."""
    incoming: Incoming = g.get("incoming") or Incoming(request, limits)
    incoming.drain()


def new_id() -> str:
    """Make an id; gunicorn seeds each worker's random numbers differently."""
    return f"{random.getrandbits(96):024x}"
