"""Render a drift report: a self-contained HTML page with the columns that moved farthest."""

from collections.abc import Iterator

from lightmodel.report.formatting import number, one_line, percent
from lightmodel.report.plots.canvas import Chart
from lightmodel.report.templates import template
from lightmodel.watch.column_tests import ColumnDrift
from lightmodel.watch.drift import DriftReport, Measured
from lightmodel.watch.histograms import histogram

_CHARTS = 12
TESTS = {
    "ks": "values (KS)",
    "psi": "values (PSI)",
    "missing": "share missing",
    "unseen": "share unseen",
}


def render_drift(measured: Measured) -> bytes:
    """Return the page: HTML in UTF-8 that loads nothing."""
    report = measured.report
    shown = shown_tests(report)
    text = template("drift.html.j2", "lightmodel.watch").render(
        report=report,
        columns=len({(test.is_score, test.column) for test in report.tests}),
        scores=[test for test in report.tests if test.is_score and test.test == "ks"],
        rows=[(test, values_of(test)) for test in shown],
        names=TESTS,
        charts=list(_charts(measured)),
    )
    return text.encode("utf-8", "replace")


def shown_tests(report: DriftReport) -> list[ColumnDrift]:
    """Return the tests of a report that say something: of shares only those that changed."""
    return [test for test in report.tests if test.effect > 0 or test.test in {"ks", "psi"}]


def values_of(test: ColumnDrift) -> tuple[str, str]:
    """Return a test's values in training and now as text: medians, or shares; empty for PSI."""
    if test.before is None or test.now is None:
        return "", ""
    write = number if test.test == "ks" else percent
    return write(test.before), write(test.now)


def _charts(measured: Measured) -> Iterator[Chart]:
    """Draw the scores and the columns that moved farthest, each once."""
    from lightmodel.report.plots import distributions  # matplotlib is slow to import

    tests = measured.report.tests
    first = sorted(tests, key=lambda test: not (test.is_score or test.drifted))
    columns = {(test.is_score, test.column): test for test in reversed(first)}
    chosen = [test for test in first if columns[test.is_score, test.column] is test]
    for place, test in enumerate(chosen[:_CHARTS]):
        before = measured.reference.scores if test.is_score else measured.reference.features
        now = measured.window.scores if test.is_score else measured.window.features
        drawn = histogram(before[test.column], now[test.column])
        if drawn is None:
            continue
        title = one_line(test.column) + (" (score)" if test.is_score else "")
        key, note, shares = f"column-{place}", _note(test), (drawn.before, drawn.now)
        if drawn.names:
            yield distributions.named(key, title, note, drawn.names, shares)
        else:
            yield distributions.binned(key, title, note, drawn.edges, shares)


def _note(test: ColumnDrift) -> str:
    before, now = values_of(test)
    moved = f": {before} in training, {now} now" if before else ""
    what = {"ks": "median", "missing": "missing", "unseen": "unseen"}.get(test.test, "")
    drifted = "Drifted" if test.drifted else "Not drifted"
    effect = f"{TESTS[test.test]} {number(test.effect, 3)}"
    return f"{drifted}, {effect}{f'; {what}{moved}' if moved else ''}."
