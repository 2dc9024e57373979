"""Results of the stages, as frozen dataclasses that are written as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lightmodel.contract.losses import SQUARED, Loss

if TYPE_CHECKING:  # listing models needs no numpy
    from lightmodel.contract.cells import Scores

Point = tuple[float, float]
_CURVE_POINTS = 100
_CONFUSED_CLASSES = 30


@dataclass(frozen=True)
class FoldFit:
    """The fitted model of one cross-validation fold, and its scores.

    Attributes:
        scores: of the held-out rows, in their order.
        rounds: boosting rounds kept (1 for a learner without rounds).
        curve: (round, validation loss) pairs, thinned out for plotting.
        model: the fitted model in a learner's own form, as plain Python and numpy values.
        train_curve: (round, training loss) pairs, thinned out further.
        diverged: whether the training loss rose instead of falling.
    """

    scores: "Scores"
    rounds: int
    curve: tuple[Point, ...]
    model: dict[str, Any]
    train_curve: tuple[Point, ...] = ()
    diverged: bool = False


@dataclass(frozen=True)
class FoldReport:
    """A summary of a fold for the report: its number from 1, rows, rounds, metrics and curves."""

    fold: int
    rows: int
    rounds: int
    metrics: dict[str, float]
    curve: tuple[Point, ...]
    train_curve: tuple[Point, ...] = ()
    diverged: bool = False


@dataclass(frozen=True)
class Importance:
    """The importance of a feature: its total gain, and the number of splits on it (or NaN)."""

    feature: str
    gain: float
    split: float


@dataclass(frozen=True)
class Interval:
    """A metric on the test rows, with its 95 % bootstrap interval (both ends are `value` if disabled)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one class; `rows` counts the test rows that have it."""

    label: str
    rows: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Curves:
    """Data of the report's plots. A field that does not apply to the task is empty.

    Attributes:
        roc: (false positive rate, true positive rate), at most some 300 points.
        precision_recall: (recall, precision), likewise.
        calibration: (mean predicted probability, observed share) of up to ten bins.
        calibration_rows: how many rows each of those bins holds.
        confusion: rows are true labels, columns are predictions, in the order of the labels.
        predicted_actual: (predicted, actual) of up to 1,000 rows (regression).
        score_histogram: (bin edges), then counts for the negative and the positive class (binary).
    """

    roc: tuple[Point, ...] = ()
    precision_recall: tuple[Point, ...] = ()
    calibration: tuple[Point, ...] = ()
    calibration_rows: tuple[int, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    predicted_actual: tuple[Point, ...] = ()
    score_edges: tuple[float, ...] = ()
    score_negative: tuple[int, ...] = ()
    score_positive: tuple[int, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """The candidate against the served model, on test rows that neither was trained on.

    Attributes:
        rows: how many rows were compared: those that the service would score by the served model.
        of: how many test rows neither was trained on.
    """

    version: str
    rows: int
    of: int
    candidate: dict[str, float]
    served: dict[str, float]


@dataclass(frozen=True)
class CalibrationEffect:
    """The effect of calibration on the scores of the test rows.

    Attributes:
        before: log_loss, brier (binary) and calibration_error of the uncalibrated scores.
        after: the same metrics of the calibrated scores.
        curve: calibration of the scores before, as `Curves.calibration` (binary).
    """

    before: dict[str, float]
    after: dict[str, float]
    curve: tuple[Point, ...]


@dataclass(frozen=True)
class Evaluation:
    """All results of testing a candidate.

    Attributes:
        task: binary, multiclass or regression.
        labels: names of the classes in code order; for binary the second is positive.
        threshold: decision threshold on the positive class' probability (binary, else None).
        rows: test rows.
        metrics: name → value with interval, in display order.
        dummy: the same metrics of the best constant prediction.
        best_reachable: the highest AUC that is possible on these rows, where it is known.
        calibration: None where train.calibration is "none".
        uncompared: why the served model is not compared; "" if it is, or if there is none.
        constant: whether the prediction of every test row is the same.
        loss: of a numeric target.
        weight: the column by which all metrics weigh the rows; "" if all count the same.
        unweighted: the metrics of rows that all count the same, if `weight` weighs them otherwise.
    """

    task: str
    labels: tuple[str, ...]
    threshold: float | None
    rows: int
    metrics: dict[str, Interval]
    dummy: dict[str, float]
    classes: tuple[ClassScore, ...]
    curves: Curves
    comparison: Comparison | None
    best_reachable: float | None
    calibration: CalibrationEffect | None = None
    uncompared: str = ""
    constant: bool = False
    loss: Loss = SQUARED
    weight: str = ""
    unweighted: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return asdict(self)


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """Return intervals, comparison and curves of an evaluation in JSON's types, without values of rows.

    Of a curve at most some 100 points are left, with 5 digits: enough for a plot of a few hundred pixels.
    """
    curves = asdict(evaluation.curves)
    del curves["predicted_actual"]
    if len(evaluation.labels) > _CONFUSED_CLASSES:
        del curves["confusion"]
    for name in ("roc", "precision_recall"):
        curves[name] = _thinned(curves[name])
    return {
        "labels": list(evaluation.labels),
        "intervals": {name: [one.low, one.high] for name, one in evaluation.metrics.items()},
        "dummy": evaluation.dummy,
        "comparison": asdict(evaluation.comparison) if evaluation.comparison else None,
        "curves": {name: points for name, points in curves.items() if points},
        **({"unweighted": evaluation.unweighted} if evaluation.unweighted else {}),
    }


def _thinned(points: Sequence[Point]) -> list[Point]:
    """Return evenly spaced points of a curve, its ends among them."""
    step = -(-len(points) // _CURVE_POINTS) or 1
    chosen = [*points[:-1:step], *points[-1:]]
    return [(round(x, 5), round(y, 5)) for x, y in chosen]


@dataclass(frozen=True)
class Verdict:
    """Whether the candidate may be served, and why, in sentences.

    Attributes:
        passed: whether the candidate is approved.
        metric: name of the metric that decided.
        value: the candidate's value of that metric.
        reasons: one sentence for each check, the failed ones first.
    """

    passed: bool
    metric: str
    value: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Drift:
    """How far one column moved since the last accepted table.

    Attributes:
        statistic: Kolmogorov-Smirnov distance (numbers) or population stability index (categories).
        test: "ks" or "psi".
        p_value: of the Kolmogorov-Smirnov or chi-squared test.
        drifted: whether the statistic exceeds the limit and the p-value is significant.
    """

    column: str
    statistic: float
    test: str
    p_value: float
    drifted: bool


@dataclass(frozen=True)
class SampleRow:
    """A row as JSON values, and the model's score of it, for smoke tests."""

    values: dict[str, Any]
    score: tuple[float, ...]
