"""`python -m lightmodel tune`: search for better parameters."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from lightmodel.cli.common import new_table, print_table, run_context, settings
from lightmodel.config import Config, load
from lightmodel.store.versions import run_lock

if TYPE_CHECKING:  # imported when a study runs
    from lightmodel.pipeline.candidates import Candidate
    from lightmodel.pipeline.tune import TuneResult


PATIENCE_S = 60.0


@click.command()
@settings
@click.option("--trials", help="Number of trials of the study in all, instead of tune.trials.")
@click.option("--timeout", help="Longest time for the search, such as 90s, 20m or 2h.")
@click.option(
    "--all",
    "released",
    is_flag=True,
    help="Search what train.parameters names as well, from there.",
)
@click.option(
    "--write", is_flag=True, help="Put the winner's parameters into the file of settings."
)
@click.option("--ranges", is_flag=True, help="Show what is searched, and do nothing.")
def tune(
    config_file: Path | None,
    sets: tuple[str, ...],
    trials: str | None,
    timeout: str | None,
    **flags: bool,
) -> None:
    """Search for better parameters with Optuna.

    train.parameters are tried on the training rows of the newest split, and scored by the gate's metric out
    of fold; the best are cross-validated in full and compared with the present settings. The same command
    resumes the same study, also after a kill, and several processes share its trials. No test row is read.
    """
    options = {"trials": trials, "timeout": timeout}
    overrides = [f"tune.{name}={value}" for name, value in options.items() if value]
    loaded = load(config_file, (*sets, *overrides))
    if flags["ranges"]:
        click.echo("\n".join(_shown_ranges(loaded.config, released=flags["released"])))
        return
    # Imported here: --help needs none of it.
    from lightmodel.config.rewrite import writable_file
    from lightmodel.pipeline.preprocess import current_split
    from lightmodel.pipeline.tune import run_tune

    file = writable_file(loaded) if flags["write"] else None
    with run_context(loaded.config) as context:
        # Several processes may begin on one study together: whoever is second finds the split made.
        with run_lock(loaded.config.store.root, PATIENCE_S):
            split = current_split(context)
        tuned = run_tune(context, split, released=flags["released"])
    _show(tuned)
    if tuned.interrupted:
        raise KeyboardInterrupt
    if file:
        _write(file, tuned)


def _shown_ranges(config: Config, *, released: bool) -> Iterator[str]:
    from lightmodel.search.ranges import search_space

    space = search_space(config, released=released)
    for one in space.ranges:
        kind = "integer" if one.whole else "real"
        scale = ", log" if one.log else ""
        yield f"{one.name:<26} {one.low:g} to {one.high:g} ({kind}{scale})"
    for name, value in space.given.items():
        yield f"{name:<26} {value} (given in train.parameters)"


def _write(file: Path, tuned: "TuneResult") -> None:
    from lightmodel.config.rewrite import rewrite

    if tuned.winner is None:
        click.echo(f"{file.name} stays as it is")
        return
    rewrite(file, {"parameters": tuned.winner.parameters})
    click.echo(
        f"written: {file.name}; `python run.py` trains by it, from the folds fitted just now"
    )


def _show(tuned: "TuneResult") -> None:
    counted = Counter(trial.state for trial in tuned.trials)
    click.echo(
        f"study {tuned.name}: {counted['complete']} trials finished, {counted['pruned']} given up "
        f"early, {counted['failed']} lost"
    )
    if tuned.finalists:
        print_table(_finalists_table(tuned))
    elif tuned.interrupted:
        print_table(_trials_table(tuned))
    if tuned.others:
        click.echo(
            "other processes are still at work on this study; the last of them compares the best, "
            "or the same command does later"
        )
    elif tuned.finalists and not tuned.interrupted:
        click.echo(_verdict(tuned))
    click.echo(f"files: {tuned.folder}")


def _verdict(tuned: "TuneResult") -> str:
    from lightmodel.config.rewrite import toml_item  # wants tomlkit, which no serving image has

    metric, winner = tuned.metric, tuned.winner
    present = next(one for one in tuned.finalists if one.trial is None)
    if winner is None:
        return (
            f"nothing is clearly better than the present settings: {metric.title} "
            f"{present.value(metric):.4f}"
        )
    parameters = toml_item(winner.parameters).as_string()
    return (
        f"trial {winner.trial.number if winner.trial else ''} is better than the present settings: "
        f"{metric.title} {winner.value(metric):.4f} instead of {present.value(metric):.4f}, out of fold\n"
        f"  [train]\n  parameters = {parameters}"
    )


def _finalists_table(tuned: "TuneResult") -> Table:
    metric = tuned.metric
    titles = (f"{metric.title} of the trial", f"{metric.title} in full")
    table = new_table("", "trial", *titles, "parameters", left={"parameters"})
    for rank, one in enumerate(tuned.finalists, 1):
        table.add_row(
            str(rank),
            str(one.trial.number) if one.trial else "now",
            f"{one.trial.value:.4f}" if one.trial else "",
            f"{one.value(metric):.4f}",
            _varied(one, tuned),
        )
    return table


def _varied(one: "Candidate", tuned: "TuneResult") -> str:
    if one.trial is None:
        return "the present settings"
    return ", ".join(
        f"{item.name}={one.trial.parameters[item.name]}" for item in tuned.space.ranges
    )


def _trials_table(tuned: "TuneResult") -> Table:
    from lightmodel.search.study_report import best_trials

    table = new_table("", "trial", tuned.metric.title, "parameters", left={"parameters"})
    for rank, trial in enumerate(best_trials(tuned.trials, tuned.metric, 5), 1):
        words = ", ".join(f"{name}={value}" for name, value in trial.parameters.items())
        table.add_row(str(rank), str(trial.number), f"{trial.value:.4f}", words)
    return table
