"""`python -m lightmodel truth`: bring in labels that are known later."""

from pathlib import Path

import click

from lightmodel.cli.options import settings
from lightmodel.config import load


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@settings
def truth(file: Path, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Join the labels in FILE, a CSV with the id and the target column, to what was answered."""
    from lightmodel.predictions.factory import add_ground_truth
    from lightmodel.predictions.feedback import read_csv
    from lightmodel.predictions.live_metrics import newest_contract

    config = load(config_file, sets).config
    contract = newest_contract(config)
    table = read_csv(file.read_bytes(), contract, config.data.decimal)
    counts = add_ground_truth(config, table, contract)
    click.echo(
        f"{counts['rows']} rows: {counts['matched']} ids were answered before, "
        f"{counts['unmatched']} not (yet)"
    )
