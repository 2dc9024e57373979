"""`python -m lightmodel compare`: which way of fitting suits the table best."""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from lightmodel.cli.durations import Duration
from lightmodel.cli.options import settings
from lightmodel.config import load
from lightmodel.config.load import Loaded
from lightmodel.contract.metrics import METRICS
from lightmodel.report.formatting import NOTHING

if TYPE_CHECKING:  # the chain is imported when it runs
    from lightmodel.contract.results import Evaluation
    from lightmodel.pipeline.compare import Compared
    from lightmodel.search.entries import Standing

_ALSO_SHOWN = 2
_KILO = 1024.0
_BOOSTERS = {"xgboost", "catboost"}


@click.command()
@settings
@click.option("--ensemble", is_flag=True, help="Blend the best three as well; keep it if better.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only this contender; may be given several times."
)
@click.option(
    "--limit",
    type=Duration(),
    default="5m",
    show_default=True,
    help="Time for each contender, such as 90s, 5m or 2h; what takes longer is not finished.",
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
    """Compare ways of fitting: the same folds for all, and the test rows for the winner alone.

    The settings in force always take part. Table, workbook and picture lie in store.work under
    comparisons/.
    """
    loaded = load(config_file, sets)
    config = loaded.config
    # Imported here: --help needs none of it.
    from lightmodel.pipeline import compare as chain
    from lightmodel.pipeline import factory as training
    from lightmodel.pipeline.contest_factory import contest
    from lightmodel.pipeline.context import Pins
    from lightmodel.pipeline.preprocess import run_preprocess
    from lightmodel.store.lock import run_lock
    from lightmodel.tracking import factory as tracking

    file = _writable(loaded, config_file) if flags["write"] else None
    with tracking.recording(config) as record:
        workshop = training.workshop(config, training.progress(), record=record)
        with run_lock(config.store.root):
            split = workshop.splits.get(run_preprocess(workshop, Pins()).version)
        with run_lock(config.store.work / "comparisons"):
            who = contest(config, split, only, limit, ensemble=flags["ensemble"])
            compared = chain.compare(workshop, split, who)
            _show(compared)
            tested = chain.meet_test_rows(workshop, compared)
            _show_tested(compared, tested)
        chain.tell(workshop, compared, tested)
    if file:
        _write(compared, file)


def _writable(loaded: Loaded, config_file: Path | None) -> Path:
    from lightmodel.config.rewrite import rewritten, writable_file

    file = writable_file(loaded, config_file, ("train.estimator", "train.parameters"))
    rewritten(file, "train", loaded.config.train.model_dump(include={"estimator", "parameters"}))
    return file


def _show(compared: "Compared") -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    others = [name for name in METRICS if name in compared.winner.mean]
    also = [name for name in others if name != compared.metric.name][:_ALSO_SHOWN]
    also_titles = [METRICS[name].title for name in also]
    titles = [compared.metric.title, "spread", "pooled", "behind", *also_titles]
    for name in ("", "contender", *titles, "fit s", "µs/row", "size"):
        table.add_column(name, justify="left" if name == "contender" else "right")
    table.add_column("", overflow="fold")
    for place, one in enumerate(compared.standings, 1):
        table.add_row(str(place), *_cells(one, compared, also))
    for absent in compared.left_out:
        table.add_row(NOTHING, absent.contender.name, *[""] * (len(titles) + 3), absent.why)
    Console(width=None if sys.stdout.isatty() else 180, highlight=False).print(table)
    click.echo("")
    for sentence in _sentences(compared):
        click.echo(sentence)


def _cells(one: "Standing", compared: "Compared", also: list[str]) -> list[str]:
    name, showing = compared.metric.name, one.showing
    behind = "" if one is compared.winner else f"{one.behind:.4f} ± {one.noise:.4f}"
    notes = [*(["in force"] if showing.name == compared.present else []), *showing.notes]
    return [
        showing.name,
        _number(one.mean[name]),
        _number(one.spread[name]),
        _number(showing.pooled[name]),
        behind,
        *(_number(one.mean[other]) for other in also),
        f"{showing.fit_seconds:.1f}",
        f"{1e6 * showing.row_seconds:.1f}",
        _size(showing.size),
        "; ".join(notes),
    ]


def _number(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.4f}"


def _size(count: float) -> str:
    for unit in ("B", "kB"):
        if count < _KILO:
            return f"{count:.0f} {unit}"
        count /= _KILO
    return f"{count:.1f} MB"


def _sentences(compared: "Compared") -> list[str]:
    winner = compared.winner
    title, name = compared.metric.title, winner.showing.name
    folds = len(winner.showing.folds)
    found = [
        f"{name} is the best by {title} over the {folds} folds.",
        *_chances(compared),
        compared.blended,
        *_needs(compared),
        f"Table and picture: {compared.folder}",
    ]
    return [sentence for sentence in found if sentence]


def _needs(compared: "Compared") -> list[str]:
    """Say what the winner's serving image lacks by itself."""
    showing = compared.winner.showing
    members = (
        showing.parameters["members"] if showing.weights else [{"estimator": showing.estimator}]
    )
    packages = {str(member["estimator"]).partition(".")[0] for member in members}
    if not packages & _BOOSTERS:
        return []
    return [
        f"Where {showing.name} is trained or served, requirements/boosters.txt is needed as well."
    ]


def _chances(compared: "Compared") -> list[str]:
    """Say which differences are within the noise of the folds."""
    behind = compared.standings[1:]
    tied = [one.showing.name for one in behind if one.is_tied]
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


def _show_tested(compared: "Compared", tested: "Evaluation") -> None:
    name, title = compared.metric.name, compared.metric.title
    found, dummy = tested.metrics[name], tested.dummy[name]
    click.echo(
        f"On the {tested.rows:,} test rows, read once: {title} {found.value:.4f} "
        f"({found.low:.4f} to {found.high:.4f}); a constant answer has {_number(dummy)}."
    )
    other = tested.comparison
    if other:
        click.echo(
            f"On the {other.rows:,} of them that the served model never saw, {title} "
            f"{other.candidate[name]:.4f}, and {other.served[name]:.4f} for it ({other.version})."
        )


def _write(compared: "Compared", file: Path) -> None:
    from lightmodel.config.rewrite import rewrite

    showing, present = compared.winner.showing, compared.of_present()
    if showing.name == compared.present:
        click.echo(f"{file} stays: its own settings are the best.")
        return
    values: Mapping[str, Any] = {
        "estimator": showing.estimator,
        "parameters": dict(showing.parameters),
    }
    rewrite(file, "train", values)
    because = (
        f"{compared.metric.title} {_number(compared.winner.mean[compared.metric.name])}"
        f" instead of {_number(present.mean[compared.metric.name])}"
        if present
        else "the settings before did not finish"
    )
    click.echo(
        f"{file}: train.estimator and train.parameters are now {showing.name}'s ({because})."
    )
