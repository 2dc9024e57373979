"""`python -m lightmodel truth`, `live` and `export`: late labels, live metrics, the log as a file."""

import csv
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click
import orjson

from lightmodel.cli.common import metric_text, new_table, print_table, settings
from lightmodel.config import load
from lightmodel.contract.task import label_name


@click.command()
@settings
def live(config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Print what each model version answered, and its metrics on the rows whose truth has come."""
    from lightmodel.predictions.feedback import live_metrics

    versions = live_metrics(load(config_file, sets).config)
    if not versions:
        click.echo("no row has been answered yet")
        return
    names = list(dict.fromkeys(name for version in versions for name in version.metrics))
    table = new_table("version", "rows", "with truth", *names, left={"version"})
    for version in versions:
        metrics = [metric_text(version.metrics.get(name)) for name in names]
        table.add_row(version.version, f"{version.rows:,}", f"{version.labelled:,}", *metrics)
    print_table(table)
    if not any(version.labelled for version in versions):
        click.echo("no truth has come yet: `python -m lightmodel truth FILE`, or POST /truth")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@settings
def truth(file: Path, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Join the labels in FILE, a table with the id and the target column, to what was answered."""
    from lightmodel.predictions.feedback import add_ground_truth, label_blocks, newest_contract

    config = load(config_file, sets).config
    contract = newest_contract(config)
    counts = add_ground_truth(config, label_blocks(file, contract, config), contract)
    empty = f"; {counts['without_label']} without a label" if counts["without_label"] else ""
    click.echo(
        f"{counts['rows']} rows: {counts['matched']} ids were answered before, "
        f"{counts['unmatched']} not (yet){empty}"
    )


@click.command()
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=True))
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Only the answers of this UTC day.")
@settings
def export(
    file: TextIO, day: datetime | None, config_file: Path | None, sets: tuple[str, ...]
) -> None:
    """Write the prediction log to FILE as CSV ("-": to the screen).

    A line for each answered row, oldest first, with its ground truth where that is known.
    """
    from lightmodel.predictions.base import COLUMNS
    from lightmodel.predictions.factory import open_sink

    with closing(open_sink(load(config_file, sets).config)) as sink:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*COLUMNS, "truth"))
        writer.writerows(map(_cells, sink.rows(day.date().isoformat() if day else "")))


def _cells(row: tuple[Any, ...]) -> list[Any]:
    """Return a row with its prediction as a label, not as JSON; None becomes an empty cell."""
    request, number, time, version, key, prediction, probability, features, truth = row
    label = label_name(orjson.loads(prediction))
    score = None if probability == "null" else probability
    return [request, number, time, version, key, label, score, features, truth]
