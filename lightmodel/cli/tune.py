"""`python -m lightmodel tune`: search for better parameters."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from lightmodel.cli.options import settings
from lightmodel.config import Config, load

if TYPE_CHECKING:  # imported when a study runs
    from lightmodel.pipeline.best_trials import Finalist
    from lightmodel.pipeline.tune import Tuned


PATIENCE_S = 60.0


@click.command()
@settings
@click.option("--trials", help="Of the study in all, instead of tune.trials.")
@click.option("--timeout", help="Most time for the search, such as 90s, 20m or 2h.")
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
    """Search for better train.parameters on the training rows of the newest split.

    Trials are scored by the gate's metric out of fold; the best are cross-validated in full and
    compared with the present settings. The same command goes on with the same study, also after a
    kill, and several processes share its trials. No test row is read.
    """
    own = [
        f"tune.{name}={value}"
        for name, value in (("trials", trials), ("timeout", timeout))
        if value
    ]
    loaded = load(config_file, (*sets, *own))
    if flags["ranges"]:
        click.echo("\n".join(_shown_ranges(loaded.config, released=flags["released"])))
        return
    # Imported here: --help needs none of it.
    from lightmodel.config.rewrite import rewritten, writable_file
    from lightmodel.pipeline import factory as training
    from lightmodel.pipeline.context import Pins
    from lightmodel.pipeline.preprocess import run_preprocess
    from lightmodel.pipeline.tune import run_tune
    from lightmodel.store.lock import run_lock
    from lightmodel.tracking import factory as tracking

    keys = ("train.estimator", "train.parameters")
    file = writable_file(loaded, config_file, keys) if flags["write"] else None
    if file:  # one that resists is told of now
        rewritten(file, "train", {"parameters": loaded.config.train.parameters})
    with tracking.recording(loaded.config) as record:
        workshop = training.workshop(loaded.config, training.progress(), record=record)
        # Several processes may begin on one study together: whoever is second finds the split made.
        with run_lock(loaded.config.store.root, PATIENCE_S):
            split = workshop.splits.get(run_preprocess(workshop, Pins()).version)
        tuned = run_tune(workshop, split, released=flags["released"])
    _show(tuned)
    if tuned.interrupted:
        raise KeyboardInterrupt
    if file:
        _write(file, tuned)


def _shown_ranges(config: Config, *, released: bool) -> Iterator[str]:
    from lightmodel.search.factory import space

    found = space(config, released)
    for one in found.ranges:
        kind = "whole" if one.whole else "real"
        scale = ", log" if one.log else ""
        yield f"{one.name:<26} {one.low:g} to {one.high:g} ({kind}{scale})"
    for name, value in found.given.items():
        yield f"{name:<26} {value} (given in train.parameters)"


def _write(file: Path, tuned: "Tuned") -> None:
    from lightmodel.config.rewrite import rewrite

    if tuned.winner is None:
        click.echo(f"{file.name} stays as it is")
        return
    rewrite(file, "train", {"parameters": tuned.winner.attempt.parameters})
    click.echo(
        f"written: {file.name}; `python run.py` trains by it, from the folds fitted just now"
    )


def _show(tuned: "Tuned") -> None:
    counted = dict.fromkeys(("complete", "pruned", "failed"), 0)
    for trial in tuned.trials:
        counted[trial.state] = counted.get(trial.state, 0) + 1
    click.echo(
        f"study {tuned.name}: {counted['complete']} trials finished, {counted['pruned']} given up "
        f"early, {counted['failed']} lost"
    )
    if tuned.finalists:
        _console().print(_finalists_table(tuned))
    elif tuned.interrupted:
        _console().print(_trials_table(tuned))
    if tuned.others:
        click.echo(
            "other processes are still at work on this study; the last of them compares the best, "
            "or the same command does later"
        )
    elif tuned.finalists and not tuned.interrupted:
        click.echo(_verdict(tuned))
    click.echo(f"files: {tuned.folder}")


def _verdict(tuned: "Tuned") -> str:
    metric, winner = tuned.metric, tuned.winner
    present = next(one for one in tuned.finalists if one.trial is None)
    if winner is None:
        return (
            f"nothing is clearly better than the present settings: {metric.title} "
            f"{present.value(metric):.4f}"
        )
    return (
        f"trial {winner.trial.number if winner.trial else ''} is better than the present settings: "
        f"{metric.title} {winner.value(metric):.4f} instead of {present.value(metric):.4f}, out of fold\n"
        f"  [train]\n  parameters = {_toml(winner.attempt.parameters)}"
    )


def _toml(parameters: Any) -> str:  # noqa: ANN401 — a mapping of whatever TOML holds
    import tomlkit

    return (
        "{"
        + ", ".join(
            f"{name} = {tomlkit.item(value).as_string()}" for name, value in parameters.items()
        )
        + "}"
    )


def _finalists_table(tuned: "Tuned") -> Table:
    metric = tuned.metric
    table = _table(
        "", "trial", f"{metric.title} of the trial", f"{metric.title} in full", "parameters"
    )
    for rank, one in enumerate(tuned.finalists, 1):
        table.add_row(
            str(rank),
            str(one.trial.number) if one.trial else "now",
            f"{one.trial.value:.4f}" if one.trial else "",
            f"{one.value(metric):.4f}",
            _varied(one, tuned),
        )
    return table


def _varied(one: "Finalist", tuned: "Tuned") -> str:
    if one.trial is None:
        return "the present settings"
    return ", ".join(
        f"{item.name}={one.trial.parameters[item.name]}" for item in tuned.space.ranges
    )


def _trials_table(tuned: "Tuned") -> Table:
    from lightmodel.pipeline.best_trials import best_trials

    table = _table("", "trial", tuned.metric.title, "parameters")
    for rank, trial in enumerate(best_trials(tuned.trials, tuned.metric, 5), 1):
        words = ", ".join(f"{name}={value}" for name, value in trial.parameters.items())
        table.add_row(str(rank), str(trial.number), f"{trial.value:.4f}", words)
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        right = name != "parameters"
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    return table


def _console() -> Console:
    import sys

    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)
