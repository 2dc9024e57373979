"""`python -m lightmodel runtime`: which libraries the model is served with."""

from pathlib import Path

import click

from lightmodel.cli.options import settings
from lightmodel.config import load


@click.command()
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@settings
def runtime(file: Path | None, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Print the runtime that the settings' model needs, or that a training FILE needs by its imports.

    It names requirements/serve-RUNTIME.txt, from which the serving image is built.
    """
    from lightmodel.pipeline.dependencies import needed_runtime
    from lightmodel.store.runtime import runtime_of_source

    if file:
        click.echo(runtime_of_source(file.read_text(encoding="utf-8", errors="replace"), str(file)))
        return
    click.echo(needed_runtime(load(config_file, sets).config.train))
