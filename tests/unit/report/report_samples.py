"""Reports to render: small, but with everything that the page can show."""

from dataclasses import replace

import numpy as np

from lightmodel.contract.results import (
    ClassScore,
    Comparison,
    Curves,
    Drift,
    Evaluation,
    FoldReport,
    Importance,
    Interval,
    Verdict,
)
from lightmodel.contract.task import METRICS, TaskKind
from lightmodel.report.page import Report

GAINS = tuple(Importance(f"feature_{index}", 100.0 / (index + 1), 7.0) for index in range(40))
EMPTY = Evaluation("binary", ("no", "yes"), None, 0, {}, {}, (), Curves(), None, None)


def metrics_of(kind: TaskKind, start: float = 0.61) -> dict[str, Interval]:
    """Return each metric of a task a value that no other number on the page has."""
    names = [name for name, metric in METRICS.items() if kind in metric.kinds]
    values = {name: start + 0.0123 * place for place, name in enumerate(names)}
    return {name: Interval(value, value - 0.02, value + 0.02) for name, value in values.items()}


def binary_curves() -> Curves:
    """Draw 400 scores of which higher ones are more often positive, and all their curves."""
    random = np.random.default_rng(0)
    scores = random.random(400)
    positive = random.random(400) < scores
    edges = np.linspace(0, 1, 41)
    sides = [np.histogram(scores[positive == side], edges)[0].tolist() for side in (False, True)]
    steps = np.linspace(0, 1, 50)
    rising = tuple(zip(steps.tolist(), np.sqrt(steps).tolist(), strict=True))
    return Curves(
        roc=rising,
        precision_recall=tuple((x, 1 - 0.6 * y) for x, y in rising),
        calibration=((0.05, 0.04), (0.3, 0.35), (0.7, 0.6)),
        calibration_rows=(200, 150, 50),
        confusion=((150, 50), (40, 160)),
        score_edges=tuple(edges.tolist()),
        score_negative=tuple(sides[0]),
        score_positive=tuple(sides[1]),
    )


def binary() -> Evaluation:
    """Return a binary evaluation with a served model that is worse in every metric."""
    metrics = metrics_of(TaskKind.BINARY)
    mine = {name: interval.value for name, interval in metrics.items()}
    served = {
        name: value - 0.05 if METRICS[name].higher_is_better else value + 0.05
        for name, value in mine.items()
    }
    dummy = dict.fromkeys(metrics, 0.5)
    comparison = Comparison("20261101T000000.000001Z-abcdef", 320, 320, mine, served)
    return Evaluation(
        "binary", ("no", "yes"), 0.37, 400, metrics, dummy, (), binary_curves(), comparison, 0.9
    )


def multiclass(labels: tuple[str, ...] = tuple("3456789")) -> Evaluation:
    """Return an evaluation in which class k has k + 1 test rows."""
    size = len(labels)
    cells = tuple(tuple(k + 1 if k == column else 0 for column in range(size)) for k in range(size))
    classes = tuple(ClassScore(label, k + 1, 0.9, 0.8, 0.85) for k, label in enumerate(labels))
    metrics = metrics_of(TaskKind.MULTICLASS)
    curves = Curves(confusion=cells)
    rows = size * (size + 1) // 2
    return Evaluation("multiclass", labels, None, rows, metrics, {}, classes, curves, None, None)


def regression(scale: float = 1.0) -> Evaluation:
    """Return an evaluation of 60 numbers of about `scale`."""
    random = np.random.default_rng(1)
    actual = random.random(60) * scale
    points = tuple(zip((actual * 0.9).tolist(), actual.tolist(), strict=True))
    metrics = metrics_of(TaskKind.REGRESSION)
    return Evaluation(
        "regression", (), None, 60, metrics, {}, (), Curves(predicted_actual=points), None, None
    )


def folds(metric: str, count: int = 5, rounds: int = 120) -> tuple[FoldReport, ...]:
    """Return reports of `count` folds that know one metric."""
    curve = tuple((float(x), 1 / (1 + x / 50)) for x in range(1, rounds + 20, 10))
    return tuple(
        FoldReport(fold, 80, rounds, {metric: 0.8 + 0.001 * fold}, curve)
        for fold in range(1, count + 1)
    )


def report_of(evaluation: Evaluation) -> Report:
    """Put an evaluation on a whole report."""
    metric = next(iter(evaluation.metrics), "auc")
    decided = evaluation.metrics.get(metric, Interval(float("nan"), float("nan"), float("nan")))
    return Report(
        version="20261120T223400.482913Z-9f3c1a",
        created="2026-11-20T22:34:07.123456+00:00",
        source="sample://santander?rows=1000",
        split="20261120T223312.000001Z-77ab01",
        train_rows=12_345,
        test_rows=evaluation.rows,
        evaluation=evaluation,
        verdict=Verdict(True, metric, decided.value, ("It is good enough.",)),
        folds=folds(metric),
        importance=GAINS,
        drift=(
            Drift("steady_one", 0.01, "ks", 0.4, drifted=False),
            Drift("moved_one", 0.41, "psi", 1e-9, drifted=True),
        ),
        warnings=("A class has fewer rows than folds.",),
        parameters={"learning_rate": 0.08, "monotone": None, "deterministic": True},
        libraries={"lightgbm": "4.7.0"},
        commit="0f3a9b1c2d4e5f60718293a4b5c6d7e8f9012345",
        target="churn",
    )


def least() -> Report:
    """Return the emptiest report there can be."""
    return replace(
        report_of(EMPTY),
        created="some day",
        folds=(),
        importance=(),
        drift=(),
        warnings=(),
        parameters={},
        libraries={},
        commit=None,
        target="",
        verdict=Verdict(False, "auc", float("nan"), ()),
    )
