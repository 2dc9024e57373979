"""`python -m lightmodel reproduce`: the same model again, byte for byte."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from lightmodel.cli.common import settings
from lightmodel.config import load
from lightmodel.errors import NotReproduced

if TYPE_CHECKING:  # the chain is imported when it runs
    from lightmodel.pipeline.reproduce import Reproduced


@click.command()
@click.argument("version")
@settings
def reproduce(version: str, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Train the model VERSION again from what its manifest says, and compare the two.

    Ends with 0 where model.joblib is the same, byte for byte, and with 12 where it is not; then it says
    in what. Nothing in the store is touched. A unique beginning of VERSION will do.
    """
    config = load(config_file, sets).config
    # Imported here: --help needs none of it.
    from lightmodel.pipeline.reproduce import run_reproduce
    from lightmodel.progress import make_progress

    with TemporaryDirectory(prefix="light-model-") as scratch:
        done = run_reproduce(config, make_progress(), version, Path(scratch))
    if not done.differences:
        click.echo(f"{done.version}: the same, byte for byte (model.joblib, sha256 {done.sha256})")
        return
    _tell("differs", done.differences)
    _tell("not as it was then", done.circumstances)
    raise NotReproduced(f"{done.version} was trained again, and is another model", hint=_hint(done))


def _tell(title: str, lines: tuple[str, ...]) -> None:
    if lines:
        click.echo("\n".join([f"{title}:", *(f"  {line}" for line in lines)]))


def _hint(done: "Reproduced") -> str:
    about = {line.partition(" ")[0].rstrip(":") for line in done.circumstances}
    commit = (done.commit or "").removesuffix("-dirty")
    if "code" in about and commit:
        unsaved = "; it had changes that were not committed" if done.commit != commit else ""
        return f"`git checkout {commit}` brings back the code that made it{unsaved}"
    if "library" in about:
        return f"pip install -r model/{done.version}/requirements.txt, in an environment of its own"
    return "only the same kind of machine gives the same bytes" if about else "please report it"
