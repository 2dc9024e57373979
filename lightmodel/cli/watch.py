"""`python -m lightmodel` drift, live: watch a model in service."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lightmodel.cli.common import DASH, NamedPath, configured, metric_text, new_table, print_table
from lightmodel.config import Config
from lightmodel.errors import DriftExceeded, LightModelError, NoVerdict, QualityGateFailed
from lightmodel.files import check_writable, write_atomic

if TYPE_CHECKING:  # numpy takes a while to import
    from lightmodel.contract.results import Interval
    from lightmodel.watch.drift import DriftReport, Measured
    from lightmodel.watch.quality import LiveQuality, Period, VersionQuality

logger = logging.getLogger(__name__)

_SHOWN = 20
_PAGE = "drift.html"


@click.command()
@click.option("--version", default="", help="A model version; by default the newest approved one.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--page",
    type=NamedPath(dir_okay=False, path_type=Path),
    help="Where to write the page; by default drift.html beside the prediction log.",
)
@click.option(
    "--evidently",
    type=NamedPath(dir_okay=False, path_type=Path),
    help="Write Evidently's page here, and its page of labelled rows beside it; see `make evidently`.",
)
@configured
def drift(
    config: Config, version: str, page: Path | None, evidently: Path | None, *, as_json: bool
) -> None:
    """Compare recent requests with training.

    The rows that a model version answered in the last watch.window_days are compared with the reference
    that training stored with the model. Features are compared if they are logged (log.features), the
    model's scores always. The report is printed, shown by the service's /metrics, and written as a page.
    Exit code 65 means drift, 13 that there are too few rows for a verdict.
    """
    from lightmodel.watch.drift import measure_drift
    from lightmodel.watch.files import store_drift

    if evidently:
        from lightmodel.watch.evidently.pages import check_python

        check_python(config)
    for file in filter(None, (page, evidently)):
        check_writable(file)
    measured = measure_drift(config, version)
    report = measured.report
    _print(report, as_json=as_json)
    store_drift(config, report)
    written = _write_page(config, measured, page)
    if evidently:
        _write_evidently(config, measured, evidently, as_json=as_json)
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

    path = page or log_folder(config) / _PAGE
    try:
        from lightmodel.watch.page import render_drift

        write_atomic(path, render_drift(measured))
    except ModuleNotFoundError as error:  # a serving image has no matplotlib
        logger.warning(
            "no page is written: %s is not installed here; `pip install -r requirements.txt` installs it",
            error.name,
        )
        return None
    except LightModelError as error:
        logger.warning("no page is written: %s; %s", error.message, error.hint)
        return None
    return path


def _write_evidently(config: Config, measured: "Measured", page: Path, *, as_json: bool) -> None:
    """Write Evidently's pages, and print what they say, beside JSON on the standard error."""
    from lightmodel.watch.evidently.pages import write_pages

    pages = write_pages(config, measured, page)
    lines = [*pages.notes]
    if pages.drift:
        names = ", ".join(pages.drifted[:5]) + (", …" if len(pages.drifted) > 5 else "")
        count = f"{len(pages.drifted)} of {len(pages.effects)} columns drifted"
        lines.append(f"Evidently, {pages.drift}: {count}{f': {names}' if names else ''}")
    if pages.labelled:
        numbers = {name: one for name, one in pages.metrics.items() if isinstance(one, float)}
        values = ", ".join(f"{name} {metric_text(one)}" for name, one in numbers.items())
        lines.append(f"Evidently, {pages.labelled}: {values}")
    for line in lines:
        click.echo(line, err=as_json)


@click.command()
@click.option(
    "--by", type=click.Choice(["day", "week", "month"]), help="Print the gate's metric by period."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option(
    "--check",
    is_flag=True,
    help="Exit with 10 if the served version's quality is too low; withdraw or promote a canary.",
)
@click.option("--shadow", is_flag=True, help="Compare challengers on the same rows instead.")
@configured
def live(config: Config, by: "Period | None", *, as_json: bool, check: bool, shadow: bool) -> None:
    """Print live metrics of each model version.

    They cover the answered rows whose labels have arrived, by `feedback` or POST /feedback. The gate's
    metric is also measured on the last of them, with its 95 % interval and the bound that it must keep; of
    a calibrated classifier it is estimated before labels arrive. With --check, exit code 10 means that
    the served version is below its bound, 13 that it has too few labels. It also decides on a canary: one
    that falls behind is withdrawn (exit code 10), one that has kept up is promoted.

    With --shadow, each challenger (serve.shadow) is compared with the version that answered the same rows:
    their decisions and scores and, once labels have arrived, their metrics with paired 95 % intervals.
    """
    from lightmodel.cli.second_versions import decide_on_canary, print_shadows
    from lightmodel.store.manifest import json_bytes
    from lightmodel.watch.files import store_quality
    from lightmodel.watch.quality import live_quality

    if shadow:
        if by or check:
            raise click.UsageError("--shadow goes with --json only")
        print_shadows(config, as_json=as_json)
        return
    quality = live_quality(config, by or "week")
    store_quality(config, quality)
    if as_json:
        click.echo(json_bytes(quality.to_dict()), nl=False)
    elif not quality.versions:
        click.echo("no row has been answered yet")
    else:
        _print_quality(quality, by)
    if check:
        decision = decide_on_canary(config, quality)
        judged = {one.version: one for one in quality.versions}
        _check_quality(judged.get(decision.stable) if decision else quality.served)


def _print_quality(quality: "LiveQuality", by: "Period | None") -> None:
    versions = quality.versions
    names = list(dict.fromkeys(name for version in versions for name in version.metrics))
    table = new_table("version", "rows", "labelled", *names, left={"version"})
    for version in versions:
        metrics = [metric_text(version.metrics.get(name)) for name in names]
        table.add_row(version.version, f"{version.rows:,}", f"{version.labelled:,}", *metrics)
    print_table(table)
    if not any(version.labelled for version in versions):
        click.echo(
            "no label has arrived yet: use `python -m lightmodel feedback FILE` or POST /feedback"
        )
    if any(version.recent or version.estimated for version in versions):
        _print_recent(quality)
    if by:
        _print_periods(quality, by)


def _print_recent(quality: "LiveQuality") -> None:
    table = new_table(
        *("version", "metric", "last labelled", "measured", "95 %"),
        *("answered lately", "estimated", "95 %", "bound", "state"),
        left={"version", "metric", "state"},
    )
    for one in quality.versions:
        table.add_row(
            f"{one.version}{' (served)' if one.is_served else ''}",
            one.metric,
            f"{one.recent_rows:,}",
            *_interval_texts(one.recent),
            f"{one.estimated_rows:,}" if one.estimated else DASH,
            *_interval_texts(one.estimated),
            metric_text(one.bound),
            "too few labels" if one.state == "none" else one.state,
        )
    click.echo()
    print_table(table)


def _print_periods(quality: "LiveQuality", by: "Period") -> None:
    table = new_table(
        "version", by, "labelled", "metric", "", "95 %", left={"version", by, "metric"}
    )
    for one in quality.versions:
        for period in one.periods:
            value = _interval_texts(period.value)
            table.add_row(one.version, period.start, f"{period.rows:,}", one.metric, *value)
    click.echo()
    print_table(table)


def _interval_texts(value: "Interval | None") -> tuple[str, str]:
    if value is None:
        return DASH, DASH
    return metric_text(value.value), f"{metric_text(value.low)} to {metric_text(value.high)}"


def _check_quality(served: "VersionQuality | None") -> None:
    """Raise what the exit code says of the served version."""
    if served is None or served.state == "none":
        labelled = served.labelled if served else 0
        raise NoVerdict(
            f"the served version has {labelled:,} labelled rows, too few to judge it",
            hint="send labels by `python -m lightmodel feedback FILE`, or lower watch.min_labels",
        )
    if served.state == "below" and served.recent:
        value, interval = _interval_texts(served.recent)
        raise QualityGateFailed(
            f"{served.version} has {served.metric} {value} ({interval}) on its last "
            f"{served.recent_rows:,} labelled rows; the bound is {metric_text(served.bound)}",
            hint="train again on recent rows, or roll back: `python -m lightmodel models rollback`",
        )
