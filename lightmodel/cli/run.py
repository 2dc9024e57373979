"""`run.py`, and `python -m lightmodel retry` and `reproduce`: the chain, whole, in part or once more."""

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
    run_context,
    settings,
)
from lightmodel.config import Config, load
from lightmodel.errors import NotReproduced
from lightmodel.store.versions import run_lock

if TYPE_CHECKING:  # the chain is imported when it runs
    from lightmodel.pipeline import Outcome
    from lightmodel.pipeline.reproduce import Reproduced

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
    """Run the chain, or the stages named.

    What has not changed since the last run is reused. Where testing rejects the candidate, train.retry says
    how many other sets of parameters are tried.
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
    names = chosen_stages(stages, first, last)
    modes = {"force": flags["force"], "dry_run": flags["dry_run"]}
    _run(loaded.config, names, retry="train" in names, **modes)


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
    "--tries", type=click.IntRange(0, 200), help="How many, for this time instead of train.retry."
)
def retry(config_file: Path | None, sets: tuple[str, ...], tries: int | None) -> None:
    """Search for parameters that pass the quality gate.

    It starts from the newest candidate, if that was rejected. The best of the others by out-of-fold score,
    if it is better than the candidate, is trained and tested once. The exit code is 0 where a candidate is
    approved, and 10 where none is.
    """
    override = () if tries is None else (f"train.retry={tries}",)
    _run(load(config_file, (*sets, *override)).config, STAGES[-1:], retry=True)


def _run(config: Config, names: Sequence[str], *, retry: bool, **modes: bool) -> None:
    # Imported here: --help and --print-config need none of it.
    from lightmodel.pipeline import CHAIN, run_chain

    stages = [stage for stage in CHAIN if stage.name in names]
    with run_context(config, **modes) as context, run_lock(config.store.root):
        _show_outcomes(run_chain(context, stages, retry=retry))


def _show_outcomes(outcomes: "Iterable[Outcome]") -> None:
    """Let the stages run, and print what they did, even where one ends in an error."""
    names = ("stage", "did", "seconds", "rows", "metric", "version")
    table = new_table(*names, left={"stage", "did", "metric", "version"})
    try:
        for one in outcomes:
            did, rows = f"{one.did}: {one.why}", f"{one.rows:,}" if one.rows else ""
            table.add_row(one.stage, did, f"{one.seconds:.1f}", rows, one.metric, one.version)
            if one.report:
                table.caption = f"report: {one.report}"
                table.caption_justify = "left"
    finally:
        if table.row_count:
            print_table(table)


@click.command()
@click.argument("version")
@configured
def reproduce(config: Config, version: str) -> None:
    """Train a version again, and compare byte for byte.

    Data, settings and seeds come from the manifest of VERSION, of which a unique beginning will do. The
    exit code is 0 where model.joblib is the same, and 12 where it differs; the differences are listed. The
    store is unchanged.
    """
    # Imported here: --help needs none of it.
    from lightmodel.pipeline.reproduce import run_reproduce

    with TemporaryDirectory(prefix="light-model-") as scratch:
        done = run_reproduce(config, make_progress(), version, Path(scratch))
    if not done.differences:
        click.echo(f"{done.version}: the same, byte for byte (model.joblib, sha256 {done.sha256})")
        return
    _tell("differs", done.differences)
    _tell("not as it was then", done.circumstances)
    raise NotReproduced(f"the retrained model differs from {done.version}", hint=_hint(done))


def _tell(title: str, lines: tuple[str, ...]) -> None:
    if lines:
        click.echo("\n".join([f"{title}:", *(f"  {line}" for line in lines)]))


def _hint(done: "Reproduced") -> str:
    about = {line.partition(" ")[0].rstrip(":") for line in done.circumstances}
    commit = (done.commit or "").removesuffix("-dirty")
    if "code" in about and commit:
        unsaved = "; it had changes that were not committed" if done.commit != commit else ""
        return f"`git checkout {commit}` brings back the code that made it{unsaved}"
    if "library" in about:
        return f"pip install -r model/{done.version}/requirements.txt, in an environment of its own"
    return "only the same kind of machine gives the same bytes" if about else "please report it"
