"""`python -m lightmodel compare`: which way of fitting suits the table best."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lightmodel.cli.common import (
    NOTHING,
    metric_text,
    new_table,
    print_table,
    run_context,
    settings,
)
from lightmodel.config import load
from lightmodel.config.sections import parse_duration
from lightmodel.contract.task import METRICS
from lightmodel.progress import format_progress
from lightmodel.store.versions import run_lock

if TYPE_CHECKING:  # the chain is imported when it runs
    from lightmodel.contract.results import Evaluation
    from lightmodel.pipeline.compare import ComparisonResult
    from lightmodel.search.entries import RankedResult

_ALSO_SHOWN = 2
_BOOSTERS = {"xgboost", "catboost"}


@click.command()
@settings
@click.option("--ensemble", is_flag=True, help="Blend the best three as well; keep it if better.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only this learner; may be given several times."
)
@click.option(
    "--limit",
    metavar="DURATION",
    callback=lambda _context, _option, value: _seconds(value),
    default="5m",
    show_default=True,
    help="Time for each learner, such as 90s, 5m or 2h; what takes longer is not finished.",
)
@click.option(
    "--write", is_flag=True, help="Put the winner into the file of settings, if it is better."
)
def compare(
    config_file: Path | None,
    sets: tuple[str, ...],
    only: tuple[str, ...],
    limit: float,
    **flags: bool,
) -> None:
    """Compare learners on the same folds.

    The test rows are for the winner alone. The settings in force always take part. Table, workbook and
    picture lie in store.work under comparisons/.
    """
    loaded = load(config_file, sets)
    config = loaded.config
    # Imported here: --help needs none of it.
    from lightmodel.config.rewrite import writable_file
    from lightmodel.pipeline import compare as comparison
    from lightmodel.pipeline.preprocess import current_split

    file = writable_file(loaded) if flags["write"] else None
    with run_context(config) as context:
        with run_lock(config.store.root):
            split = current_split(context)
        with run_lock(config.store.work / "comparisons"):
            compared = comparison.compare(context, split, only, limit, ensemble=flags["ensemble"])
            _show(compared)
            _show_tested(compared, comparison.evaluate_on_test(context, compared))
    if file:
        _write(compared, file)


def _seconds(duration: str) -> float:
    seconds = parse_duration(duration)
    if seconds is None:
        raise click.BadParameter(f"{duration!r} is no length of time; write 90s, 5m or 2h")
    if seconds == 0:
        raise click.BadParameter("it must be longer than nothing")
    return seconds


def _show(compared: "ComparisonResult") -> None:
    others = [name for name in METRICS if name in compared.winner.mean]
    also = [name for name in others if name != compared.metric.name][:_ALSO_SHOWN]
    also_titles = [METRICS[name].title for name in also]
    titles = [compared.metric.title, "spread", "pooled", "behind", *also_titles]
    names = ("", "entry", *titles, "fit s", "µs/row", "size")
    table = new_table(*names, "notes", left={"entry", "notes"})
    for place, one in enumerate(compared.ranking, 1):
        table.add_row(str(place), *_cells(one, compared, also))
    for name, reason in compared.left_out.items():
        table.add_row(NOTHING, name, *[""] * (len(titles) + 3), reason)
    print_table(table)
    click.echo("")
    for sentence in _sentences(compared):
        click.echo(sentence)


def _cells(one: "RankedResult", compared: "ComparisonResult", also: list[str]) -> list[str]:
    name, result = compared.metric.name, one.result
    behind = "" if one is compared.winner else f"{one.behind:.4f} ± {one.noise:.4f}"
    notes = [*(["in force"] if result.name == compared.present else []), *result.notes]
    return [
        result.name,
        metric_text(one.mean[name]),
        metric_text(one.spread[name]),
        metric_text(result.pooled[name]),
        behind,
        *(metric_text(one.mean[other]) for other in also),
        f"{result.fit_seconds:.1f}",
        f"{1e6 * result.row_seconds:.1f}",
        format_progress(result.size, None, "bytes"),
        "; ".join(notes),
    ]


def _sentences(compared: "ComparisonResult") -> list[str]:
    winner = compared.winner
    title, name = compared.metric.title, winner.result.name
    folds = len(winner.result.folds)
    sentences = [
        f"{name} is the best by {title} over the {folds} folds.",
        *_chances(compared),
        compared.blend_note,
        *_needs(compared),
        f"Table and picture: {compared.folder}",
    ]
    return [sentence for sentence in sentences if sentence]


def _needs(compared: "ComparisonResult") -> list[str]:
    """Return what the winner's serving image lacks by itself."""
    result = compared.winner.result
    members = result.parameters["members"] if result.weights else [{"estimator": result.estimator}]
    packages = {str(member["estimator"]).partition(".")[0] for member in members}
    if not packages & _BOOSTERS:
        return []
    return [
        f"Where {result.name} is trained or served, requirements/boosters.txt is needed as well."
    ]


def _chances(compared: "ComparisonResult") -> list[str]:
    """Return which differences are within the noise of the folds."""
    behind = compared.ranking[1:]
    tied = [one.result.name for one in behind if one.is_tied]
    if not behind:
        return []
    if not tied:
        return ["It is better than every other by more than the folds' differences vary by chance."]
    if len(tied) == len(behind):
        return ["None of the others is behind by more than the folds' differences vary by chance."]
    names = ", ".join(tied)
    return [
        f"Its lead over {names} is within what the folds vary by chance: take that as a tie.",
        "Between ties, choose by time, size or what you can explain.",
    ]


def _show_tested(compared: "ComparisonResult", tested: "Evaluation") -> None:
    name, title = compared.metric.name, compared.metric.title
    measured, dummy = tested.metrics[name], tested.dummy[name]
    click.echo(
        f"On the {tested.rows:,} test rows, read once: {title} {measured.value:.4f} "
        f"({measured.low:.4f} to {measured.high:.4f}); a constant answer has {metric_text(dummy)}."
    )
    other = tested.comparison
    if other:
        click.echo(
            f"On the {other.rows:,} of them that the served model never saw, {title} "
            f"{other.candidate[name]:.4f}, and {other.served[name]:.4f} for it ({other.version})."
        )


def _write(compared: "ComparisonResult", file: Path) -> None:
    from lightmodel.config.rewrite import rewrite

    result, present = compared.winner.result, compared.present_result()
    if result.name == compared.present:
        click.echo(f"{file} stays: its own settings are the best.")
        return
    values: Mapping[str, Any] = {
        "estimator": result.estimator,
        "parameters": dict(result.parameters),
    }
    rewrite(file, values)
    because = (
        f"{compared.metric.title} {metric_text(compared.winner.mean[compared.metric.name])}"
        f" instead of {metric_text(present.mean[compared.metric.name])}"
        if present
        else "the settings before did not finish"
    )
    click.echo(f"{file}: train.estimator and train.parameters are now {result.name}'s ({because}).")
