"""`python -m lightmodel export`: the prediction log as a CSV file."""

import csv
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click
import orjson

from lightmodel.cli.options import settings
from lightmodel.config import load
from lightmodel.contract.task import label_name


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
    """Write the prediction as a label, not as JSON, and an empty cell where there is nothing."""
    request, number, time, version, key, prediction, probability, features, truth = row
    label = label_name(orjson.loads(prediction))
    score = None if probability == "null" else probability
    return [request, number, time, version, key, label, score, features, truth]
