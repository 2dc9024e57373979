"""`run.py`: the chain, whole or in part."""

from collections.abc import Sequence
from pathlib import Path

import click

from lightmodel.cli.exits import MEANINGS
from lightmodel.cli.options import settings
from lightmodel.cli.outcomes import show_outcomes
from lightmodel.config import Config, load

STAGES = ("preprocess", "train", "testing")


@click.command(no_args_is_help=False)
@click.argument("stages", nargs=-1, type=click.Choice(STAGES))
@settings
@click.option("--from", "first", type=click.Choice(STAGES), help="Start with this stage.")
@click.option("--to", "last", type=click.Choice(STAGES), help="End with this stage.")
@click.option("--force", is_flag=True, help="Run stages though nothing has changed.")
@click.option("--dry-run", is_flag=True, help="Say what would run, and why; change nothing.")
@click.option("--print-config", is_flag=True, help="Show each setting and where it comes from.")
@click.option("--exit-codes", is_flag=True, help="Show what each exit code means.")
def run(
    stages: tuple[str, ...],
    config_file: Path | None,
    sets: tuple[str, ...],
    first: str | None,
    last: str | None,
    **flags: bool,
) -> None:
    """Run the chain, or the STAGES named.

    What has not changed since the last run is not done again. Where testing rejects what `train`
    gave, train.retry says how many other parameters are tried.
    """
    if flags["exit_codes"]:
        click.echo("\n".join(f"{code:>4}  {meaning}" for code, meaning in MEANINGS.items()))
        return
    loaded = load(config_file, sets)
    if flags["print_config"]:
        click.echo("\n".join(loaded.lines()))
        return
    if stages and (first or last):
        raise click.UsageError("name stages, or give --from and --to, not both")
    _run(loaded.config, chosen_stages(stages, first, last), flags)


def chosen_stages(stages: Sequence[str], first: str | None, last: str | None) -> tuple[str, ...]:
    """Give the stages to run, in the chain's order."""
    if stages:
        return tuple(name for name in STAGES if name in stages)
    start = STAGES.index(first) if first else 0
    end = STAGES.index(last) if last else len(STAGES) - 1
    if start > end:
        raise click.UsageError(f"--from {first} comes after --to {last}")
    return STAGES[start : end + 1]


def _run(config: Config, names: Sequence[str], flags: dict[str, bool]) -> None:
    # Imported here: --help and --print-config need none of it.
    from lightmodel.pipeline import CHAIN, run_chain
    from lightmodel.pipeline import factory as training
    from lightmodel.store.lock import run_lock
    from lightmodel.tracking import factory as tracking

    chosen = [stage for stage in CHAIN if stage.name in names]
    with tracking.recording(config) as record, run_lock(config.store.root):
        workshop = training.workshop(
            config,
            training.progress(),
            record=record,
            force=flags["force"],
            dry_run=flags["dry_run"],
        )
        show_outcomes(run_chain(workshop, chosen, retry="train" in names))
