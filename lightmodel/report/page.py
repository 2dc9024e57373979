"""Render the report on one candidate: a self-contained HTML page."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from lightmodel.config.base import redacted
from lightmodel.contract.results import Drift, Evaluation, FoldReport, Importance, Verdict
from lightmodel.report import formatting, tables
from lightmodel.report.templates import template

_MAX_FEATURES = 100
_TASKS = {
    "binary": "Binary classification",
    "multiclass": "Classification into {} classes",
    "regression": "Regression",
}


@dataclass(frozen=True)
class Report:
    """The content of the page.

    Attributes:
        version: of the model.
        created: when it was tested, in ISO format.
        source: URI of the table; secrets in it are masked on the page.
        split: version of the split.
        drift: of every column against the last accepted table; empty if there is none.
        parameters: of the learner.
        libraries: name → version.
        commit: of git, if known.
        target: name of the column that is predicted, if known.
        feedback_rows: number of training rows that come from the prediction log.
        reason: why the run that trained it was started; "" if nobody said so.
    """

    version: str
    created: str
    source: str
    split: str
    train_rows: int
    test_rows: int
    evaluation: Evaluation
    verdict: Verdict
    folds: tuple[FoldReport, ...]
    importance: tuple[Importance, ...]
    drift: tuple[Drift, ...]
    warnings: tuple[str, ...]
    parameters: Mapping[str, object]
    libraries: Mapping[str, str]
    commit: str | None = None
    target: str = ""
    reason: str = ""
    feedback_rows: int = 0


def render(report: Report) -> bytes:
    """Return the page: HTML in UTF-8 that loads nothing; equal reports give equal bytes."""
    text = template("report.html.j2").render(
        report=report,
        evaluation=report.evaluation,
        verdict=report.verdict,
        task=_task(report.evaluation),
        source=_shown_source(report.source),
        class_weight=formatting.class_weight(report.parameters),
        **_numbers(report),
        **_charts(report),
    )
    return text.encode("utf-8", "replace")


def _shown_source(source: str) -> str:
    """Return a source without secrets and, of a file, without its folders: the service shows this page."""
    return redacted(source if "://" in source else PurePath(source).name)


def _task(evaluation: Evaluation) -> str:
    return _TASKS[evaluation.task].format(formatting.count(len(evaluation.labels)))


def _numbers(report: Report) -> dict[str, Any]:
    evaluation, verdict = report.evaluation, report.verdict
    decided = evaluation.metrics.get(verdict.metric)
    return {
        "metrics": tables.metric_rows(evaluation, verdict.metric),
        "tiles": tables.tiles(evaluation, verdict.metric, verdict.value, report.train_rows),
        "interval": tables.interval_text(decided, " to "),
        "reached": tables.share_of_reachable(evaluation),
        "classes": tables.class_rows(evaluation.classes),
        "few_rows": tables.FEW_ROWS,
        "effects": tables.effect_rows(evaluation.calibration),
        "summaries": tables.fold_summaries(report.folds),
        "features": tables.feature_rows(report.importance, _MAX_FEATURES),
        "unused": tables.unused(report.importance),
        "drift": sorted(report.drift, key=lambda each: (not each.drifted, -_size(each))),
    }


def _size(drift: Drift) -> float:
    return drift.statistic if drift.statistic == drift.statistic else -1.0


def _charts(report: Report) -> dict[str, Any]:
    # matplotlib is slow to import, and not needed for the dataclass.
    from lightmodel.report import plots
    from lightmodel.report.plots.training import folds, learning

    metric = report.verdict.metric
    decided = report.evaluation.metrics.get(metric)
    tested = decided.value if decided else None
    training = folds(report.folds, metric, tested), learning(report.folds)
    return {
        "charts": plots.evaluation_charts(report.evaluation),
        "training_charts": [chart for chart in training if chart],
    }
