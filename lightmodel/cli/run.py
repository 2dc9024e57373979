"""`run.py`, and `python -m lightmodel retry` and `reproduce`: run the chain, or retrain a version."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from lightmodel.cli import MEANINGS
from lightmodel.cli.common import (
    configured,
    make_progress,
    new_table,
    print_table,
    reason_option,
    run_context,
    settings,
    watched_run,
)
from lightmodel.config import Config, load
from lightmodel.errors import NotReproduced
from lightmodel.store.lock import run_lock

if TYPE_CHECKING:  # the chain is imported when it runs
    from lightmodel.pipeline import Outcome
    from lightmodel.pipeline.reproduce import Reproduced

STAGES = ("preprocess", "train", "testing")


@click.command(no_args_is_help=False)
@click.argument("stages", nargs=-1, type=click.Choice(STAGES))
@settings
@click.option("--from", "first", type=click.Choice(STAGES), help="Start with this stage.")
@click.option("--to", "last", type=click.Choice(STAGES), help="End with this stage.")
@click.option("--force", is_flag=True, help="Run the stages even if nothing has changed.")
@click.option("--dry-run", is_flag=True, help="Print what would run, and why; change nothing.")
@reason_option
@click.option("--print-config", is_flag=True, help="Print each setting and where it comes from.")
@click.option("--exit-codes", is_flag=True, help="Print the meaning of each exit code.")
def run(
    stages: tuple[str, ...],
    config_file: Path | None,
    sets: tuple[str, ...],
    first: str | None,
    last: str | None,
    reason: str,
    **flags: bool,
) -> None:
    """Run the chain, or some of its stages.

    `preprocess` checks the table and splits it, `train` fits a candidate on the training rows, `testing`
    decides by the test rows whether it is approved, and writes its report. Without a stage, all three run.

    Results whose inputs have not changed are reused. If testing rejects the candidate, up to train.retry
    other sets of parameters are tried.
    """
    if flags["exit_codes"]:
        click.echo("\n".join(f"{code:>4}  {meaning}" for code, meaning in MEANINGS.items()))
        return
    loaded = load(config_file, sets)
    if flags["print_config"]:
        click.echo("\n".join(loaded.lines()))
        return
    if stages and (first or last):
        raise click.UsageError("name stages or use --from and --to, not both")
    names = chosen_stages(stages, first, last)
    modes = {"force": flags["force"], "dry_run": flags["dry_run"]}
    _run(loaded.config, "run", names, reason, retry="train" in names, **modes)


def chosen_stages(stages: Sequence[str], first: str | None, last: str | None) -> tuple[str, ...]:
    """Return the stages to run, in the chain's order."""
    if stages:
        return tuple(name for name in STAGES if name in stages)
    start = STAGES.index(first) if first else 0
    end = STAGES.index(last) if last else len(STAGES) - 1
    if start > end:
        raise click.UsageError(f"--from {first} comes after --to {last}")
    return STAGES[start : end + 1]


@click.command()
@settings
@click.option(
    "--tries", type=click.IntRange(0, 200), help="Number of sets to try, instead of train.retry."
)
@reason_option
def retry(config_file: Path | None, sets: tuple[str, ...], tries: int | None, reason: str) -> None:
    """Search for parameters that pass the quality gate.

    The search starts from the newest candidate, if that was rejected. The best set of parameters by
    out-of-fold score is trained and tested once, if it beats the candidate. The exit code is 0 if a
    candidate is approved, and 10 if none is.
    """
    override = () if tries is None else (f"train.retry={tries}",)
    _run(load(config_file, (*sets, *override)).config, "retry", STAGES[-1:], reason, retry=True)


def _run(
    config: Config,
    command: str,
    names: Sequence[str],
    reason: str,
    *,
    retry: bool,
    **modes: bool,
) -> None:
    # Imported here because --help and --print-config need none of it.
    from lightmodel.pipeline import CHAIN, run_chain

    stages = [stage for stage in CHAIN if stage.name in names]
    with run_context(config, command, reason, **modes) as context, run_lock(config.store.root):
        _show_outcomes(run_chain(context, stages, retry=retry))


def _show_outcomes(outcomes: "Iterable[Outcome]") -> None:
    """Run the stages, and print the outcome of each, even if one raises an error."""
    names = ("stage", "did", "seconds", "rows", "metric", "version")
    table = new_table(*names, left={"stage", "did", "metric", "version"})
    try:
        for outcome in outcomes:
            did, rows = f"{outcome.did}: {outcome.why}", f"{outcome.rows:,}" if outcome.rows else ""
            seconds = f"{outcome.seconds:.1f}"
            table.add_row(outcome.stage, did, seconds, rows, outcome.metric, outcome.version)
            if outcome.report:
                table.caption = f"report: {outcome.report}"
                table.caption_justify = "left"
    finally:
        if table.row_count:
            print_table(table)


@click.command()
@click.argument("version")
@configured
def reproduce(config: Config, version: str) -> None:
    """Retrain a version, and compare it byte for byte.

    VERSION may be a unique prefix; data, settings and seeds come from its manifest. The exit code is 0 if
    model.joblib is identical, and 12 if it differs; the differences are listed. The store is unchanged.
    """
    # Imported here because --help needs none of it.
    from lightmodel.pipeline.reproduce import run_reproduce

    with watched_run(config, "reproduce"), TemporaryDirectory(prefix="light-model-") as scratch:
        result = run_reproduce(config, make_progress(), version, Path(scratch))
    if not result.differences:
        click.echo(f"{result.version}: identical, byte for byte (sha256 {result.sha256})")
        return
    _print_lines("differs", result.differences)
    _print_lines("has changed since then", result.circumstances)
    raise NotReproduced(f"the retrained model differs from {result.version}", hint=_hint(result))


def _print_lines(title: str, lines: tuple[str, ...]) -> None:
    if lines:
        click.echo("\n".join([f"{title}:", *(f"  {line}" for line in lines)]))


def _hint(result: "Reproduced") -> str:
    changed = {line.partition(" ")[0].rstrip(":") for line in result.circumstances}
    commit = (result.commit or "").removesuffix("-dirty")
    if "code" in changed and commit:
        uncommitted = ", which had uncommitted changes" if result.commit != commit else ""
        return f"`git checkout {commit}` restores the code that trained it{uncommitted}"
    if "library" in changed:
        return f"`pip install -r model/{result.version}/requirements.txt` in a new environment"
    return "only the same kind of machine gives the same bytes" if changed else "please report it"
