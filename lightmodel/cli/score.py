"""`python -m lightmodel score`: score files with an approved model version."""

import logging

import click

from lightmodel.batch.job import ScoreOptions
from lightmodel.batch.job import score as score_files
from lightmodel.batch.piece_scorer import OnError
from lightmodel.cli.common import NamedPath, configured, make_progress
from lightmodel.config import Config

logger = logging.getLogger(__name__)


@click.command()
@click.argument("source", metavar="INPUT")
@click.option(
    "--output",
    required=True,
    metavar="FILE",
    type=NamedPath(dir_okay=False),
    help="File or address (s3://, az://) for the answers: .csv, .jsonl or .parquet.",
)
@click.option("--version", default="", help="Model version, instead of the served one.")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip", "file"]),
    default="stop",
    show_default=True,
    help="What to do about rows that break the contract: stop, leave them out, or also list them "
    "in FILE-errors.jsonl.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    help="Processes that score; by default one per core.",
)
@configured
def score(
    source: str,
    output: str,
    version: str,
    on_error: OnError,
    processes: int | None,
    config: Config,
) -> None:
    """Score a file, a glob, a folder or an address.

    The rows of INPUT (CSV, JSON Lines or Parquet) are scored block by block on all cores, as POST
    /predict scores them, and the answers are written in the same order. FILE appears when it is complete;
    the same command goes on after an interruption.
    """
    options = ScoreOptions(source, output, version, on_error, processes or 0)
    result = score_files(config, options, make_progress())
    for sentence in result.sentences():
        click.echo(sentence)
    click.echo(f"answers: {result.answers}")
    if result.errors:
        click.echo(f"rows without an answer: {result.errors}")
