"""The application that a server runs: Streamlit, the routes for files, and the checks before them."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.middleware import Middleware
from starlette.types import ASGIApp
from streamlit import config as streamlit_config
from streamlit.web.server.starlette import App

from lightmodel.config import load
from lightmodel.console.files import relay
from lightmodel.console.files.exchange import file_exchange
from lightmodel.console.guard import Guard
from lightmodel.console.theme import streamlit_options

SCRIPT = Path(__file__).parent / "script" / "main.py"


def create_app() -> ASGIApp:
    """Return the console as an ASGI application; uvicorn calls this."""
    settings = load().config.console
    for name, value in streamlit_options(settings).items():
        streamlit_config.set_option(name, value)
    # Streamlit opens it again, whatever uvicorn is told; paths may hold what gives access to an answer.
    logging.getLogger("uvicorn.access").disabled = True
    app: ASGIApp = App(
        SCRIPT,
        routes=relay.routes(file_exchange()),
        middleware=[Middleware(Guard)],
        lifespan=_running,
    )
    return app


@asynccontextmanager
async def _running(_app: object) -> AsyncIterator[dict[str, object]]:
    """Delete the answers to files when the console ends."""
    try:
        yield {}
    finally:
        file_exchange().answers.close()
