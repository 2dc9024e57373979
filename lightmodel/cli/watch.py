"""`python -m lightmodel drift`: watch a model in service."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lightmodel.cli.common import DASH, configured, new_table, print_table
from lightmodel.config import Config
from lightmodel.errors import DriftExceeded, LightModelError, NoVerdict
from lightmodel.files import write_atomic

if TYPE_CHECKING:  # numpy takes a while to import
    from lightmodel.watch.drift import DriftReport, Measured

logger = logging.getLogger(__name__)

_SHOWN = 20
_PAGE = "drift.html"


@click.command()
@click.option("--version", default="", help="A model version; by default the newest approved one.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the page; by default drift.html beside the prediction log.",
)
@configured
def drift(config: Config, version: str, page: Path | None, *, as_json: bool) -> None:
    """Compare recent requests with training.

    The rows that a model version answered in the last watch.window_days are compared with the reference
    that training stored with the model. Features are compared if they are logged (log.features), the
    model's scores always. The report is printed, shown by the service's /metrics, and written as a page.
    Exit code 65 means drift, 13 that there are too few rows for a verdict.
    """
    from lightmodel.watch.drift import measure_drift
    from lightmodel.watch.files import store_drift

    measured = measure_drift(config, version)
    report = measured.report
    _print(report, as_json=as_json)
    store_drift(config, report)
    written = _write_page(config, measured, page)
    if report.verdict == "none":
        raise NoVerdict(report.reason, hint="wait for more rows, or lower watch.min_rows")
    if report.verdict == "drift":
        raise DriftExceeded(report.reason, hint=_hint(written))


def _hint(page: Path | None) -> str:
    where = f"see {page}; " if page else ""
    return f"{where}check where the requests come from, and train again on recent rows"


def _print(report: "DriftReport", *, as_json: bool) -> None:
    if as_json:
        from lightmodel.store.manifest import json_bytes

        click.echo(json_bytes(report.to_dict()), nl=False)
        return
    click.echo(f"{report.version}: {report.compared:,} of {report.rows:,} rows, {_period(report)}")
    for note in report.notes:
        click.echo(note)
    if report.tests:
        _print_tests(report)
    if report.verdict == "stable":
        click.echo(report.reason)


def _period(report: "DriftReport") -> str:
    return f"{report.since[:16]} to {report.until[:16]} UTC" if report.since else "none logged"


def _print_tests(report: "DriftReport") -> None:
    from lightmodel.report.formatting import number, p_value
    from lightmodel.watch.page import TESTS, shown_tests, values_of

    table = new_table(
        *("column", "compared", "effect", "training", "now", "p-value", ""),
        left={"column", "compared", ""},
    )
    tests = shown_tests(report)
    for test in tests[:_SHOWN]:
        before, now = values_of(test)
        name = f"{test.column} (score)" if test.is_score else test.column
        mark = "drifted" if test.drifted else ""
        cells = (number(test.effect, 3), before or DASH, now or DASH, p_value(test.p_value), mark)
        table.add_row(name, TESTS[test.test], *cells)
    print_table(table)
    if len(tests) > _SHOWN:
        click.echo(f"… and {len(tests) - _SHOWN} more comparisons, on the page")


def _write_page(config: Config, measured: "Measured", page: Path | None) -> Path | None:
    """Write the page, and return its path; return None where pictures cannot be drawn."""
    from lightmodel.predictions.factory import log_folder
    from lightmodel.watch.page import render_drift

    path = page or log_folder(config) / _PAGE
    try:
        write_atomic(path, render_drift(measured))
    except ModuleNotFoundError as error:  # a serving image has no matplotlib
        logger.warning("no page is written: %s is not installed here", error.name)
        return None
    except LightModelError as error:
        logger.warning("no page is written: %s; %s", error.message, error.hint)
        return None
    return path
