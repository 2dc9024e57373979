"""`python -m lightmodel truth`: bring in labels that are known later."""

from pathlib import Path

import click

from lightmodel.cli.options import settings
from lightmodel.config import load


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@settings
def truth(file: Path, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Join the labels in FILE, a table with the id and the target column, to what was answered."""
    from lightmodel.predictions.factory import add_truths, newest_contract
    from lightmodel.scoring.loaded_model import label_blocks

    config = load(config_file, sets).config
    contract = newest_contract(config)
    found = add_truths(config, label_blocks(file, contract, config), contract)
    empty = f"; {found['without_label']} without a label" if found["without_label"] else ""
    click.echo(
        f"{found['rows']} rows: {found['matched']} ids were answered before, "
        f"{found['unmatched']} not (yet){empty}"
    )
