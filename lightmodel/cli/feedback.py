"""`python -m lightmodel truth` and `live`: labels that are known later, and how good the answers were."""

from pathlib import Path

import click

from lightmodel.cli.options import settings
from lightmodel.cli.output import metric_text, new_table, print_table
from lightmodel.config import load


@click.command()
@settings
def live(config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Print what each model version answered, and its metrics on the rows whose truth has come."""
    from lightmodel.predictions.factory import live_metrics

    versions = live_metrics(load(config_file, sets).config)
    if not versions:
        click.echo("no row has been answered yet")
        return
    names = list(dict.fromkeys(name for version in versions for name in version.metrics))
    table = new_table("version", "rows", "with truth", *names, left={"version"})
    for version in versions:
        metrics = [metric_text(version.metrics.get(name)) for name in names]
        table.add_row(version.version, f"{version.rows:,}", f"{version.judged:,}", *metrics)
    print_table(table)
    if not any(version.judged for version in versions):
        click.echo("no truth has come yet: `python -m lightmodel truth FILE`, or POST /truth")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@settings
def truth(file: Path, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Join the labels in FILE, a CSV with the id and the target column, to what was answered."""
    from lightmodel.predictions.factory import add_truths, newest_contract
    from lightmodel.predictions.feedback import read_csv

    config = load(config_file, sets).config
    contract = newest_contract(config)
    table = read_csv(file.read_bytes(), contract, config.data.decimal)
    counts = add_truths(config, table, contract)
    click.echo(
        f"{counts['rows']} rows: {counts['matched']} ids were answered before, "
        f"{counts['unmatched']} not (yet)"
    )
