"""`python -m lightmodel retry`: other parameters where the gate said no."""

from pathlib import Path

import click

from lightmodel.cli.options import settings
from lightmodel.cli.outcomes import show_outcomes
from lightmodel.config import load


@click.command()
@settings
@click.option(
    "--tries", type=click.IntRange(0, 200), help="How many, for this time instead of train.retry."
)
def retry(config_file: Path | None, sets: tuple[str, ...], tries: int | None) -> None:
    """Try other parameters where the gate said no to the newest candidate.

    The best of them by out-of-fold score, if it is better than the candidate, is trained and tested
    once. Ends with 0 where a candidate is approved, and with 10 where none is.
    """
    own = () if tries is None else (f"train.retry={tries}",)
    config = load(config_file, (*sets, *own)).config
    # Imported here: --help needs none of it.
    from lightmodel.pipeline import CHAIN, run_chain
    from lightmodel.pipeline import factory as training
    from lightmodel.store.lock import run_lock
    from lightmodel.tracking import factory as tracking

    with tracking.recording(config) as record, run_lock(config.store.root):
        workshop = training.workshop(config, training.progress(), record=record)
        show_outcomes(run_chain(workshop, CHAIN[-1:]))
