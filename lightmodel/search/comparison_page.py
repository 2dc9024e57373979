"""A comparison as a table for programs, as a workbook for people, and as a picture."""

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from lightmodel.contract.metrics import METRICS, Metric
from lightmodel.report.formatting import metric_title
from lightmodel.search.comparison_plot import comparison_png
from lightmodel.search.entries import Standing

__all__ = ["as_csv", "as_excel", "comparison_png", "header", "lines"]

LeftOut = Sequence[tuple[str, str]]  # name and reason
_WIDEST = 60


def header(standings: Sequence[Standing], metric: Metric) -> list[str]:
    """Name the columns; the deciding metric comes first."""
    names = _metrics(standings, metric)
    scores = [f"{name}_{what}" for name in names for what in ("mean", "spread", "pooled")]
    return [
        *("place", "contender", *scores, "behind", "noise", "fit_seconds"),
        *("row_microseconds", "bytes", "notes", "estimator", "parameters"),
    ]


def lines(standings: Sequence[Standing], left_out: LeftOut, metric: Metric) -> list[list[Any]]:
    """Give a line for each contender, the best first, and then those that were left out."""
    names = _metrics(standings, metric)
    ranked = [_line(place, one, names) for place, one in enumerate(standings, 1)]
    width = len(header(standings, metric))
    absent = [["", name, *[None] * (width - 5), why, "", ""] for name, why in left_out]
    return [*ranked, *absent]


def _metrics(standings: Sequence[Standing], metric: Metric) -> list[str]:
    others = [name for name in METRICS if name in standings[0].mean and name != metric.name]
    return [metric.name, *others]


def _line(place: int, one: Standing, names: Sequence[str]) -> list[Any]:
    showing = one.showing
    scores = [
        value
        for name in names
        for value in (one.mean[name], one.spread[name], showing.pooled[name])
    ]
    numbers = [*scores, one.behind, one.noise, showing.fit_seconds, 1e6 * showing.row_seconds]
    return [
        *(place, showing.name, *map(_known, numbers), showing.size),
        *("; ".join(showing.notes), showing.estimator, str(dict(showing.parameters))),
    ]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def as_csv(standings: Sequence[Standing], left_out: LeftOut, metric: Metric) -> bytes:
    """Write the table as CSV in UTF-8; what is not known is empty."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(header(standings, metric))
    rows.writerows(lines(standings, left_out, metric))
    return text.getvalue().encode()


def as_excel(standings: Sequence[Standing], left_out: LeftOut, metric: Metric) -> bytes:
    """Write the table as a workbook: numbers as numbers, the head in bold and in sight."""
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=False)
    book.remove(book.worksheets[0])
    sheet = book.create_sheet(f"by {metric_title(metric.name)}"[:31])
    titles = header(standings, metric)
    content = lines(standings, left_out, metric)
    for row in (titles, *content):
        sheet.append(row)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "C2"
    sheet.auto_filter.ref = sheet.dimensions
    for at, column in enumerate(zip(titles, *content, strict=True), 1):
        letter = get_column_letter(at)
        widest = max(len(_shown(value)) for value in column)
        sheet.column_dimensions[letter].width = min(widest + 2, _WIDEST)
        for cell in sheet[letter][1:]:
            cell.number_format = _format(titles[at - 1])
            if isinstance(cell.value, str):
                cell.data_type = "s"  # never a formula
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value or "")


def _format(title: str) -> str:
    if title in {"bytes", "place"}:
        return "#,##0"
    return "0.00" if title in {"fit_seconds", "row_microseconds"} else "0.0000"
