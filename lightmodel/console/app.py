"""The application that a server runs: Streamlit, the routes for files, and the checks before them."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from starlette.middleware import Middleware
from starlette.types import ASGIApp
from streamlit import config as streamlit_config
from streamlit.web.server.starlette import App

from lightmodel.config import load
from lightmodel.console import addresses
from lightmodel.console.files import relay
from lightmodel.console.files.exchange import file_exchange
from lightmodel.console.guard import Guard
from lightmodel.console.pages import PAGES
from lightmodel.console.theme import streamlit_options
from lightmodel.console.watching.history import shared_history
from lightmodel.console.watching.sampler import look_always

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
        routes=[*relay.routes(file_exchange()), *addresses.routes(PAGES, settings.base_path)],
        middleware=[Middleware(Guard)],
        lifespan=_running,
    )
    return app


@asynccontextmanager
async def _running(_app: object) -> AsyncIterator[dict[str, object]]:
    """Look at the service's metrics while the console runs, and delete the answers to files at its end."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look_always, load(), shared_history())
        try:
            yield {}
        finally:
            tasks.cancel_scope.cancel()
            file_exchange().answers.close()
