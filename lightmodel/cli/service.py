"""`app.py`, and `python -m lightmodel` smoke, feedback, export, prune: the service and its log."""

import csv
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import click
import orjson

from lightmodel.cli.common import NamedPath, configured, settings
from lightmodel.cli.ports import check_port
from lightmodel.config import Config, environment, load
from lightmodel.contract.task import label_name
from lightmodel.files import OTHER_FILE, atomic_path, translate_os_errors

ROOT = Path(__file__).parents[2]
_STDOUT = Path("-")
_APPLICATION = "lightmodel.service:create_app()"


@click.command()
@settings
def serve(config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Serve the newest approved model.

    This starts gunicorn with the settings of the section `serve`, by default on port 5001. A version that
    is approved later is served without a restart.
    """
    config = load(config_file, sets).config  # reports invalid settings before gunicorn starts
    environ = environment.service_environment(config_file, sets)
    if not {"LISTEN_FDS", "GUNICORN_CMD_ARGS"} & environ.keys():  # which can bind something else
        check_port(config.serve.host, config.serve.port, "serve.port")
    environment.export(environ)
    _run_gunicorn("-c", str(_gunicorn_file()), "--pythonpath", str(ROOT), _APPLICATION)


def _run_gunicorn(*arguments: str) -> None:
    """Run gunicorn in this process, which has loaded most of what the workers need."""
    from gunicorn import __main__ as gunicorn

    # As if it had been started so: SIGUSR2 starts a new master with these arguments.
    sys.argv = [str(gunicorn.__file__), *arguments]
    gunicorn.run(prog="gunicorn")


def _gunicorn_file() -> Path:
    """Return the path of gunicorn.conf.py, in this checkout or in an installed package's share/."""
    file = ROOT / "deploy" / "gunicorn.conf.py"
    return file if file.exists() else Path(sys.prefix) / "share" / "light-model" / file.name


@click.command()
@click.argument("url", default="http://127.0.0.1:5001")
@click.option(
    "--wait", "seconds", default=60.0, show_default=True, help="Seconds to wait until it is ready."
)
@configured
def smoke(config: Config, url: str, seconds: float) -> None:
    """Check a running service with sample rows.

    The service at URL (default: http://127.0.0.1:5001) must reproduce the stored scores of the newest
    approved model's sample rows.
    """
    from lightmodel.delivery.smoke_test import smoke_test_service  # not needed to start a service

    version = smoke_test_service(config, url, seconds)
    click.echo(f"{version} answers at {url}, and scores its sample rows as stored")


@click.command()
@click.argument("file", type=NamedPath(exists=True, dir_okay=False, path_type=Path))
@configured
def feedback(config: Config, file: Path) -> None:
    """Join labels that arrived later to predictions.

    FILE is a table, such as a CSV, with the id column and the target column. `live` then prints metrics.
    """
    from lightmodel.predictions.feedback import add_ground_truth, label_blocks, newest_contract

    contract = newest_contract(config)
    counts = add_ground_truth(config, label_blocks(file, contract, config), contract)
    empty = f"; {counts['without_label']} without a label" if counts["without_label"] else ""
    click.echo(
        f"{counts['rows']} rows: {counts['matched']} ids match predictions, "
        f"{counts['unmatched']} do not (yet){empty}"
    )


@click.command()
@click.argument("file", type=NamedPath(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Only rows of this UTC day.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@configured
def export(config: Config, file: Path, day: datetime | None, *, force: bool) -> None:
    """Write the prediction log as CSV.

    FILE receives a line for each answered row, oldest first, with its label where that is known; "-"
    means standard output.
    """
    from lightmodel.predictions.factory import open_sink

    with translate_os_errors(file, OTHER_FILE):
        is_file = file.is_file()
    if is_file and not force:
        raise click.BadParameter(f"{file} exists already; --force replaces it.", param_hint="FILE")
    if not file.parent.is_dir():
        raise click.BadParameter(
            f"there is no folder {file.parent}; create it by `mkdir -p {file.parent}`.",
            param_hint="FILE",
        )
    with closing(open_sink(config)) as sink, _output(file) as output:
        rows = _write_csv(output, sink.rows(day.date().isoformat() if day else ""))
    name = "standard output" if file == _STDOUT else file
    click.echo(f"{rows:,} rows written to {name}", err=file == _STDOUT)


@contextmanager
def _output(file: Path) -> Iterator[IO[str]]:
    """Open what is written to; a file appears, or is replaced, once it is whole."""
    if file == _STDOUT or (file.exists() and not file.is_file()):  # such as a pipe
        with (
            translate_os_errors(file, OTHER_FILE),
            click.open_file(str(file), "w", encoding="utf-8") as output,
        ):
            yield output
    else:
        with atomic_path(file.resolve()) as part, part.open("w", encoding="utf-8") as output:
            yield output


def _write_csv(output: IO[str], rows: Iterable[tuple[Any, ...]]) -> int:
    """Write rows of the log; return their number."""
    from lightmodel.predictions.base import COLUMNS

    writer = csv.writer(output, lineterminator="\n")
    writer.writerow((*COLUMNS, "truth"))
    # Before Python 3.13, a cell with a lone carriage return is left without quotes.
    quoting = csv.writer(output, lineterminator="\n", quoting=csv.QUOTE_ALL)
    number = 0
    for number, cells in enumerate(map(_cells, rows), 1):  # noqa: B007 — it is the result
        has_return = any("\r" in cell for cell in cells if isinstance(cell, str))
        (quoting if has_return else writer).writerow(cells)
    return number


@click.command()
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@configured
def prune(config: Config, *, dry_run: bool) -> None:
    """Delete old rows of the prediction log.

    These are the answers older than log.keep_days, or the oldest ones beyond log.max_mb, and labels
    as old, unless their id has a newer answer. The service does so by itself.
    """
    from lightmodel.predictions.factory import prune_log

    done = prune_log(config, dry_run=dry_run)
    if not done.rows and not done.labels:
        click.echo("nothing to delete")
        return
    before = "" if done.before is None else f" up to {done.before:%Y-%m-%d %H:%M:%S} UTC"
    verb = "would be deleted" if dry_run else "deleted"
    click.echo(f"{done.rows:,} rows and {done.labels:,} labels{before} {verb}")


def _cells(row: tuple[Any, ...]) -> list[Any]:
    """Return the cells of a row of the log, its prediction as a label instead of JSON."""
    request, number, time, version, key, prediction, probability, features, truth = row
    label = label_name(orjson.loads(prediction))
    score = None if probability == "null" else probability
    return [request, number, time, version, key, label, score, features, truth]
