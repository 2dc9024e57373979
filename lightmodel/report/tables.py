"""Compute the rows of the report's tables, and which of two compared values is better."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from lightmodel.contract.results import (
    CalibrationEffect,
    ClassScore,
    Evaluation,
    FoldReport,
    Importance,
    Interval,
)
from lightmodel.contract.task import METRICS
from lightmodel.report.formatting import (
    count,
    difference,
    lower_is_better,
    metric_title,
    number,
    percent,
    shortened,
)

Mark = Literal["better", "worse", "same", ""]
FEW_ROWS = 10
_LARGEST = 1e150  # the square of anything larger overflows


@dataclass(frozen=True)
class MetricRow:
    """One metric: the candidate, the dummy, and the served model on rows new to both models.

    `against_dummy` and `against_served` say whether the candidate is better, given the metric's
    direction; `on_new_rows` is the candidate's value on the rows of the comparison.
    """

    title: str
    lower_is_better: bool
    deciding: bool
    value: float
    interval: str
    dummy: float
    against_dummy: Mark
    on_new_rows: float
    served: float
    change: str
    against_served: Mark


@dataclass(frozen=True)
class Tile:
    """A key figure at the top of the page."""

    title: str
    value: str
    note: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class EffectRow:
    """A metric before and after calibration; lower is better."""

    title: str
    before: float
    after: float
    mark: Mark


@dataclass(frozen=True)
class FoldSummary:
    """A metric over all folds: mean and standard deviation, NaN if undefined."""

    name: str
    mean: float
    spread: float


@dataclass(frozen=True)
class FeatureRow:
    """A feature's rank from 1, its gain and splits; share of the total and of the largest gain."""

    rank: int
    feature: str
    gain: float
    split: float
    share: float
    bar: float


def effect_rows(effect: CalibrationEffect | None) -> list[EffectRow]:
    """Return a row for each metric of calibration."""
    if effect is None:
        return []
    rows = []
    for name, before in effect.before.items():
        after = effect.after[name]
        mark: Mark = "better" if after < before else "worse" if after > before else "same"
        title = "Calibration error" if name == "calibration_error" else metric_title(name)
        rows.append(EffectRow(title, before, after, mark))
    return rows


def compare(metric: str, new: float, old: float) -> Mark:
    """Return whether `new` is better than `old`; "" if a value or the direction is unknown."""
    if math.isnan(new) or math.isnan(old) or metric not in METRICS:
        return ""
    if not difference(new, old):
        return "same"
    return "better" if METRICS[metric].better(new, old) else "worse"


def interval_text(interval: Interval | None, dash: str = " \N{EN DASH} ") -> str:
    """Write a 95 % interval; empty if it was not computed or is undefined."""
    if interval is None or interval.low == interval.high:
        return ""
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return ""
    return f"{number(interval.low)}{dash}{number(interval.high)}"


def metric_rows(evaluation: Evaluation, deciding: str) -> tuple[MetricRow, ...]:
    """Return a row for each metric, in the evaluation's order."""
    return tuple(_metric_row(evaluation, name, name == deciding) for name in evaluation.metrics)


def _metric_row(evaluation: Evaluation, name: str, deciding: bool) -> MetricRow:
    interval, dummy = evaluation.metrics[name], evaluation.dummy.get(name, math.nan)
    on_new_rows, served = _compared(evaluation, name)
    return MetricRow(
        title=metric_title(name),
        lower_is_better=lower_is_better(name),
        deciding=deciding,
        value=interval.value,
        interval=interval_text(interval),
        dummy=dummy,
        against_dummy=compare(name, interval.value, dummy),
        on_new_rows=on_new_rows,
        served=served,
        change=difference(on_new_rows, served),
        against_served=compare(name, on_new_rows, served),
    )


def _compared(evaluation: Evaluation, metric: str) -> tuple[float, float]:
    """Return a metric of the candidate and of the served model; NaN where it is not known."""
    comparison = evaluation.comparison
    both = (comparison.candidate, comparison.served) if comparison else ({}, {})
    new, old = (metrics.get(metric, math.nan) for metrics in both)
    return new, old


def share_of_reachable(evaluation: Evaluation) -> float | None:
    """Return the share reached of the distance from the dummy's AUC of 0.5 to the best reachable."""
    best, auc = evaluation.best_reachable, evaluation.metrics.get("auc")
    if best is None or auc is None or not best > 0.5 or not math.isfinite(auc.value):
        return None
    return (auc.value - 0.5) / (best - 0.5)


def tiles(evaluation: Evaluation, deciding: str, value: float, train_rows: int) -> tuple[Tile, ...]:
    """Return the key figures: the deciding metric, its comparisons, and the number of rows."""
    dummy = evaluation.dummy.get(deciding, math.nan)
    note = "" if math.isnan(dummy) else f"dummy {number(dummy)}"
    optional = [
        Tile(metric_title(deciding), number(value), note, compare(deciding, value, dummy)),
        _served_tile(evaluation, deciding),
        _best_tile(evaluation),
        _task_tile(evaluation),
        Tile("Test rows", count(evaluation.rows), f"{count(train_rows)} for training"),
    ]
    return tuple(tile for tile in optional if tile is not None)


def _served_tile(evaluation: Evaluation, deciding: str) -> Tile | None:
    if evaluation.comparison is None:
        return None
    new, old = _compared(evaluation, deciding)
    title, note = f"Change in {metric_title(deciding)}", f"served model {number(old)}"
    return Tile(title, difference(new, old) or "no change", note, compare(deciding, new, old))


def _best_tile(evaluation: Evaluation) -> Tile | None:
    share = share_of_reachable(evaluation)
    if share is None:
        return None
    note = f"best reachable AUC {number(evaluation.best_reachable)}"
    return Tile("Share of reachable AUC", percent(share), note)


def _task_tile(evaluation: Evaluation) -> Tile | None:
    metrics = evaluation.metrics
    if evaluation.threshold is not None:
        parts = [
            f"{name} {number(metrics[name].value, 3)}"
            for name in ("precision", "recall")
            if name in metrics
        ]
        return Tile("Threshold", number(evaluation.threshold, 3), ", ".join(parts))
    if evaluation.task == "multiclass" and evaluation.classes:
        least = min(evaluation.classes, key=lambda each: each.rows)
        rows = "1 test row" if least.rows == 1 else f"{count(least.rows)} test rows"
        note = f"rarest: {shortened(least.label, 20)}, {rows}"
        return Tile("Classes", count(len(evaluation.labels)), note)
    if "r2" in metrics:
        return Tile("R²", number(metrics["r2"].value), "share of the variance explained")
    return None


def class_rows(classes: Iterable[ClassScore]) -> tuple[ClassScore, ...]:
    """Return the classes, most rows first."""
    return tuple(sorted(classes, key=lambda each: (-each.rows, each.label)))


def fold_summaries(folds: Sequence[FoldReport]) -> tuple[FoldSummary, ...]:
    """Return each metric's mean and standard deviation over the folds where it is defined."""
    names = dict.fromkeys(name for fold in folds for name in fold.metrics)
    summaries = []
    for name in names:
        values = [fold.metrics.get(name, math.nan) for fold in folds]
        known = [value for value in values if abs(value) < _LARGEST]
        mean = fmean(known) if known else math.nan
        spread = stdev(known) if len(known) > 1 else math.nan
        summaries.append(FoldSummary(name, mean, spread))
    return tuple(summaries)


def feature_rows(features: Iterable[Importance], most: int) -> tuple[FeatureRow, ...]:
    """Return the first `most` features by gain, those of unknown gain last."""
    ordered = sorted(features, key=lambda each: (-_gain(each), each.feature))
    gains = [max(_gain(each), 0.0) for each in ordered]
    total, largest = sum(gains), max(gains, default=0.0)
    return tuple(
        FeatureRow(
            rank,
            each.feature,
            each.gain,
            each.split,
            gain / total if 0 < total < math.inf and math.isfinite(each.gain) else math.nan,
            gain / largest if largest > 0 else 0.0,
        )
        for rank, (each, gain) in enumerate(zip(ordered[:most], gains, strict=False), 1)
    )


def _gain(feature: Importance) -> float:
    return feature.gain if math.isfinite(feature.gain) else -math.inf


def unused(features: Iterable[Importance]) -> int:
    """Count the features that no split uses."""
    return sum(each.gain == 0 for each in features)
