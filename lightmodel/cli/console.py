"""`python -m lightmodel console`: the front end in a browser."""

from importlib.util import find_spec
from pathlib import Path

import click

from lightmodel.cli.common import settings
from lightmodel.cli.ports import check_port
from lightmodel.config import environment, load
from lightmodel.errors import ConfigError

_APPLICATION = "lightmodel.console.app:create_app"


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port, instead of console.port.")
@settings
def console(port: int | None, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Show the console, a front end in a browser.

    It predicts rows and files, shows what the service measures, and takes labels. It knows the service
    by console.service_url and the key LIGHTMODEL__CONSOLE__KEY.
    """
    if port is not None:
        sets = (*sets, f"console.port={port}")
    config = load(
        config_file, sets
    ).config.console  # reports invalid settings before the server starts
    if find_spec("streamlit") is None:
        raise ConfigError(
            "the console needs Streamlit, which is not installed",
            hint="`pip install -r requirements/console.txt`, or `make console`",
        )
    check_port(config.host, config.port, "console.port")
    environment.export(environment.service_environment(config_file, sets))
    import uvicorn

    click.echo(f"the console is at http://{config.host}:{config.port}/{config.base_path}", err=True)
    uvicorn.run(
        _APPLICATION,
        factory=True,
        host=config.host,
        port=config.port,
        access_log=False,
        log_config=None,
        server_header=False,
        forwarded_allow_ips="127.0.0.1",
    )
