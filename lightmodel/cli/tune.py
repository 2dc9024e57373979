"""`python -m lightmodel tune`: search for better parameters."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from lightmodel.cli.common import new_table, print_table, run_context, settings
from lightmodel.config import Config, load
from lightmodel.store.lock import run_lock

if TYPE_CHECKING:  # imported when a study runs
    from lightmodel.pipeline.candidates import Candidate
    from lightmodel.pipeline.tune import TuneResult

LOCK_TIMEOUT_S = 60.0


@click.command()
@settings
@click.option("--trials", metavar="INTEGER", help="Total number of trials, instead of tune.trials.")
@click.option(
    "--timeout",
    metavar="DURATION",
    help="Time limit, such as 90s, 20m or 2h; default: tune.timeout.",
)
@click.option(
    "--all",
    "released",
    is_flag=True,
    help="Also search the parameters that train.parameters sets, starting from their values.",
)
@click.option(
    "--write", is_flag=True, help="Write the winner's parameters to the settings file, if better."
)
@click.option("--ranges", is_flag=True, help="Print the ranges to search, and do nothing.")
def tune(
    config_file: Path | None,
    sets: tuple[str, ...],
    trials: str | None,
    timeout: str | None,
    **flags: bool,
) -> None:
    """Search for better parameters with Optuna.

    Each trial cross-validates parameters on the training rows of the newest split, by the gate's metric.
    The best are cross-validated in full and compared with the present settings. The same command resumes
    an interrupted study, and several processes can share one. No test row is read.
    """
    options = {"trials": trials, "timeout": timeout}
    overrides = [f"tune.{name}={value}" for name, value in options.items() if value]
    loaded = load(config_file, (*sets, *overrides))
    if flags["ranges"]:
        click.echo("\n".join(_shown_ranges(loaded.config, include_fixed=flags["released"])))
        return
    # Imported here because --help needs none of it.
    from lightmodel.config.rewrite import writable_file
    from lightmodel.pipeline.preprocess import current_split
    from lightmodel.pipeline.tune import run_tune

    file = writable_file(loaded) if flags["write"] else None
    with run_context(loaded.config, "tune") as context:
        # When several processes start the same study, the first one makes the split.
        with run_lock(loaded.config.store.root, LOCK_TIMEOUT_S):
            split = current_split(context)
        tuned = run_tune(context, split, include_fixed=flags["released"])
    _show(tuned)
    if tuned.interrupted:
        raise KeyboardInterrupt
    if file:
        _write(file, tuned)


def _shown_ranges(config: Config, *, include_fixed: bool) -> Iterator[str]:
    from lightmodel.search.ranges import search_space

    space = search_space(config, include_fixed=include_fixed)
    for item in space.ranges:
        kind = "int" if item.is_int else "float"
        scale = ", log" if item.log else ""
        yield f"{item.name:<26} {item.low:g} to {item.high:g} ({kind}{scale})"
    for name, value in space.fixed.items():
        yield f"{name:<26} {value} (fixed by train.parameters)"


def _write(file: Path, tuned: "TuneResult") -> None:
    from lightmodel.config.rewrite import rewrite

    if tuned.winner is None:
        click.echo(f"{file.name} is unchanged")
        return
    rewrite(file, {"parameters": tuned.winner.parameters})
    click.echo(
        f"written: {file.name}; `python run.py` trains with it, and reuses the folds fitted just now"
    )


def _show(tuned: "TuneResult") -> None:
    counts = Counter(trial.state for trial in tuned.trials)
    click.echo(
        f"study {tuned.name}: {counts['complete']} trials completed, {counts['pruned']} pruned, "
        f"{counts['failed']} failed"
    )
    if tuned.finalists:
        print_table(_finalists_table(tuned))
    elif tuned.interrupted:
        print_table(_trials_table(tuned))
    if tuned.others:
        click.echo(
            "other processes still work on this study; the last one to finish compares the best trials, "
            "or run the same command again later"
        )
    elif tuned.finalists and not tuned.interrupted:
        click.echo(_winner_text(tuned))
    click.echo(f"files: {tuned.folder}")


def _winner_text(tuned: "TuneResult") -> str:
    from lightmodel.config.rewrite import toml_item  # needs tomlkit, which no serving image has

    metric, winner = tuned.metric, tuned.winner
    present = next(candidate for candidate in tuned.finalists if candidate.trial is None)
    if winner is None:
        return (
            f"nothing is better than the present settings by more than the noise between folds: "
            f"{metric.title} {present.value(metric):.4f}"
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
    for rank, candidate in enumerate(tuned.finalists, 1):
        trial = candidate.trial
        number, value = (str(trial.number), f"{trial.value:.4f}") if trial else ("present", "")
        parameters = _parameters_text(candidate, tuned)
        table.add_row(str(rank), number, value, f"{candidate.value(metric):.4f}", parameters)
    return table


def _parameters_text(candidate: "Candidate", tuned: "TuneResult") -> str:
    if candidate.trial is None:
        return "the present settings"
    return ", ".join(
        f"{item.name}={candidate.trial.parameters[item.name]}" for item in tuned.space.ranges
    )


def _trials_table(tuned: "TuneResult") -> Table:
    from lightmodel.search.study_report import best_trials

    table = new_table("", "trial", tuned.metric.title, "parameters", left={"parameters"})
    for rank, trial in enumerate(best_trials(tuned.trials, tuned.metric, 5), 1):
        text = ", ".join(f"{name}={value}" for name, value in trial.parameters.items())
        table.add_row(str(rank), str(trial.number), f"{trial.value:.4f}", text)
    return table
