"""The metrics by name: which task each suits, and in which direction it improves."""

from dataclasses import dataclass

from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError

_BINARY = frozenset({TaskKind.BINARY})
_MULTICLASS = frozenset({TaskKind.MULTICLASS})
_CLASSES = _BINARY | _MULTICLASS
_REGRESSION = frozenset({TaskKind.REGRESSION})


@dataclass(frozen=True)
class Metric:
    """One metric; `title` is its name in headings."""

    name: str
    title: str
    kinds: frozenset[TaskKind]
    higher_is_better: bool = True

    def better(self, one: float, other: float) -> bool:
        """Return whether `one` is strictly better than `other`; NaN is never better."""
        return one > other if self.higher_is_better else one < other

    def worsened(self, value: float, share: float) -> float:
        """Return the value that is `share` (0.01: one per cent) worse than `value`."""
        return value - abs(value) * share * (1 if self.higher_is_better else -1)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("auc", "AUC", _BINARY),
        Metric("log_loss", "Log loss", _CLASSES, higher_is_better=False),
        Metric("accuracy", "Accuracy", _CLASSES),
        Metric("precision", "Precision", _BINARY),
        Metric("recall", "Recall", _BINARY),
        Metric("f1", "F1", _BINARY),
        Metric("brier", "Brier score", _BINARY, higher_is_better=False),
        Metric("macro_precision", "Macro precision", _MULTICLASS),
        Metric("macro_recall", "Macro recall", _MULTICLASS),
        Metric("macro_f1", "Macro F1", _MULTICLASS),
        Metric("rmse", "RMSE", _REGRESSION, higher_is_better=False),
        Metric("mae", "MAE", _REGRESSION, higher_is_better=False),
        Metric("r2", "R²", _REGRESSION),
    )
}
_DEFAULT = {TaskKind.BINARY: "auc", TaskKind.MULTICLASS: "macro_f1", TaskKind.REGRESSION: "rmse"}


def gate_metric(name: str, kind: TaskKind) -> Metric:
    """Return the metric that decides; "auto" is the task's default.

    Raises:
        ConfigError: the metric does not suit the task.
    """
    metric = METRICS[_DEFAULT[kind] if name == "auto" else name]
    if kind not in metric.kinds:
        fitting = ", ".join(item.name for item in METRICS.values() if kind in item.kinds)
        raise ConfigError(
            f"gate.metric = {name!r} does not suit a {kind} task", hint=f"use one of {fitting}"
        )
    return metric
