"""`python -m lightmodel compare`: train several learners on the same folds, and rank them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lightmodel.cli.common import DASH, metric_text, new_table, print_table, run_context, settings
from lightmodel.config import load
from lightmodel.config.durations import parse_duration
from lightmodel.contract.task import METRICS
from lightmodel.progress import format_progress
from lightmodel.store.lock import run_lock

if TYPE_CHECKING:  # the chain is imported when it runs
    from lightmodel.contract.results import Evaluation
    from lightmodel.pipeline.compare import ComparisonResult
    from lightmodel.search.entries import RankedResult

_EXTRA_METRICS = 2
_BOOSTERS = {"xgboost", "catboost"}


@click.command()
@settings
@click.option(
    "--ensemble", is_flag=True, help="Also blend the best three; rank the blend if it beats all."
)
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Try only this learner, such as catboost; repeatable.",
)
@click.option(
    "--limit",
    metavar="DURATION",
    callback=lambda _context, _option, value: _seconds(value),
    default="5m",
    show_default=True,
    help="Time limit for each learner, such as 90s, 5m or 2h; a slower one is not ranked.",
)
@click.option("--write", is_flag=True, help="Write the winner to the settings file, if better.")
@click.option(
    "--force", is_flag=True, help="With --write: also write a winner that ties with the settings."
)
@click.option("--test", is_flag=True, help="Also score the winner on the test rows.")
def compare(
    config_file: Path | None,
    sets: tuple[str, ...],
    only: tuple[str, ...],
    limit: float,
    **flags: bool,
) -> None:
    """Compare learners on the same folds.

    The settings in force always take part. The learners are lightgbm, xgboost, catboost,
    hist-gradient-boosting, random-forest, extra-trees, svm, mlp and knn; for classes also logistic, for
    numbers lasso and ridge. No test row is read, unless --test asks for it. A table, a workbook
    and a plot are written to the folder comparisons/ of store.work.
    """
    loaded = load(config_file, sets)
    config = loaded.config
    # Imported here because --help needs none of it.
    from lightmodel.config.rewrite import writable_file
    from lightmodel.pipeline import compare as comparison
    from lightmodel.pipeline.preprocess import current_split

    file = writable_file(loaded) if flags["write"] else None
    with run_context(config, "compare") as context:
        with run_lock(config.store.root):
            split = current_split(context)
        with run_lock(config.store.work / "comparisons"):
            compared = comparison.compare(context, split, only, limit, ensemble=flags["ensemble"])
            _show(compared)
            tested = comparison.evaluate_on_test(context, compared) if flags["test"] else None
            context.record(tuple(comparison.run_records(compared, tested)))
    if tested:
        _show_test_result(compared, tested)
    if file:
        _write(compared, file, force=flags["force"])


def _seconds(duration: str) -> float:
    seconds = parse_duration(duration)
    if seconds is None:
        raise click.BadParameter(f"{duration!r} is not a duration; write 90s, 5m or 2h")
    if seconds == 0:
        raise click.BadParameter("the duration must be greater than zero")
    return seconds


def _show(compared: "ComparisonResult") -> None:
    available = [name for name in METRICS if name in compared.winner.mean]
    extra = [name for name in available if name != compared.metric.name][:_EXTRA_METRICS]
    extra_titles = [METRICS[name].title for name in extra]
    titles = [compared.metric.title, "spread", "pooled", "behind", *extra_titles]
    names = ("", "entry", *titles, "fit s", "µs/row", "size")
    table = new_table(*names, "notes", left={"entry", "notes"})
    for rank, entry in enumerate(compared.ranking, 1):
        table.add_row(str(rank), *_cells(entry, compared, extra))
    for name, reason in compared.left_out.items():
        table.add_row(DASH, name, *[""] * (len(titles) + 3), reason)
    print_table(table)
    click.echo("")
    for sentence in _summary(compared):
        click.echo(sentence)


def _cells(entry: "RankedResult", compared: "ComparisonResult", extra: list[str]) -> list[str]:
    name, result = compared.metric.name, entry.result
    behind = "" if entry is compared.winner else f"{entry.behind:.4f} ± {entry.noise:.4f}"
    notes = [*(["in force"] if result.name == compared.present else []), *result.notes]
    return [
        result.name,
        metric_text(entry.mean[name]),
        metric_text(entry.spread[name]),
        metric_text(result.pooled[name]),
        behind,
        *(metric_text(entry.mean[other]) for other in extra),
        f"{result.fit_seconds:.1f}",
        f"{1e6 * result.row_seconds:.1f}",
        format_progress(result.size, None, "bytes"),
        "; ".join(notes),
    ]


def _summary(compared: "ComparisonResult") -> list[str]:
    winner = compared.winner
    title, name = compared.metric.title, winner.result.name
    folds = len(winner.result.folds)
    sentences = [
        f"{name} has the best mean {title} over the {folds} folds.",
        *_ties(compared),
        compared.blend_note,
        *_requirements(compared),
        f"Table and plot: {compared.folder}",
    ]
    return [sentence for sentence in sentences if sentence]


def _requirements(compared: "ComparisonResult") -> list[str]:
    """Return a sentence on the additional requirements of the winner, if it has any."""
    result = compared.winner.result
    members = result.parameters["members"] if result.weights else [{"estimator": result.estimator}]
    packages = {str(member["estimator"]).partition(".")[0] for member in members}
    if not packages & _BOOSTERS:
        return []
    return [f"To train or serve {result.name}, also install requirements/boosters.txt."]


def _ties(compared: "ComparisonResult") -> list[str]:
    """Return sentences on the entries that tie with the winner, within the noise between folds."""
    behind = compared.ranking[1:]
    tied = [entry.result.name for entry in behind if entry.is_tied]
    if not behind:
        return []
    if not tied:
        return ["Its lead over every other entry is larger than the noise between folds."]
    if len(tied) == len(behind):
        return ["Its lead over every other entry is within the noise between folds: all are tied."]
    names = ", ".join(tied)
    return [
        f"Its lead over {names} is within the noise between folds: a tie.",
        "Choose between tied entries by time, size or interpretability.",
    ]


def _show_test_result(compared: "ComparisonResult", tested: "Evaluation") -> None:
    name, title = compared.metric.name, compared.metric.title
    measured, dummy = tested.metrics[name], tested.dummy[name]
    click.echo(
        f"On the {tested.rows:,} test rows, read once: {title} {measured.value:.4f} "
        f"({measured.low:.4f} to {measured.high:.4f}); the dummy baseline has {metric_text(dummy)}."
    )
    other = tested.comparison
    if other:
        click.echo(
            f"On the {other.rows:,} of them that the served model {other.version} never saw: {title} "
            f"{other.candidate[name]:.4f}, and {other.served[name]:.4f} for the served model."
        )


def _write(compared: "ComparisonResult", file: Path, *, force: bool) -> None:
    from lightmodel.config.rewrite import rewrite

    result, present = compared.winner.result, compared.present_result()
    if result.name == compared.present:
        click.echo(f"{file} is unchanged: its settings are the best.")
        return
    if present and present.is_tied and not force:
        click.echo(
            f"{file} is unchanged: {result.name} leads its settings by no more than the noise between "
            "folds; add --force to write it nevertheless."
        )
        return
    values: Mapping[str, Any] = {
        "estimator": result.estimator,
        "parameters": dict(result.parameters),
    }
    rewrite(file, values)
    reason = (
        f"{compared.metric.title} {metric_text(compared.winner.mean[compared.metric.name])}"
        f" instead of {metric_text(present.mean[compared.metric.name])}"
        if present
        else "the previous settings did not finish"
    )
    click.echo(f"{file}: train.estimator and train.parameters are now {result.name}'s ({reason}).")
