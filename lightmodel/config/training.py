"""The sections `train`, `tune` and `gate` of `config.toml`: training, tuning and the quality gate.

The description of each field is its entry in docs/config.md.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, SecretStr, Tag, ValidationInfo

from lightmodel.config.base import Section, word_or_table
from lightmodel.config.data import Column
from lightmodel.config.durations import duration, parse_duration

_ESTIMATORS = ("lightgbm", "neural", "blend", "module")


def _estimator(value: str) -> str:
    dotted = "." in value and all(part.isidentifier() for part in value.split("."))
    if value in _ESTIMATORS or dotted:
        return value
    raise ValueError(
        f"allowed are {', '.join(_ESTIMATORS)} and a dotted path such as sklearn.svm.SVC"
    )


_METRICS = (
    *("auto", "auc", "log_loss", "accuracy", "precision", "recall", "f1", "brier"),
    *("macro_f1", "macro_precision", "macro_recall", "rmse", "mae", "r2"),
    *("deviance", "pinball"),
)


def _gate_metric(value: str) -> str:
    if value not in _METRICS:
        raise ValueError(f"allowed are {', '.join(_METRICS)}")
    return value


_Objective = Literal[
    "auto", "mae", "huber", "quantile", "poisson", "gamma", "tweedie", "cross_entropy"
]


def _objective(value: str, info: ValidationInfo) -> str:
    estimator = info.data.get("estimator", "lightgbm")
    if value != "auto" and estimator != "lightgbm":
        raise ValueError(f'it is for estimator = "lightgbm", and {estimator} has a loss of its own')
    return value


# what says the same as train.class_weight in train.parameters, under LightGBM's names and others'
_CLASS_WEIGHTS = {
    *("scale_pos_weight", "is_unbalance", "unbalance", "unbalanced_sets"),
    *("class_weight", "class_weights", "auto_class_weights"),
}


_ClassWeight = (
    Annotated[Literal["none", "balanced"], Tag("word")] | Annotated[dict[str, float], Tag("table")]
)


def _class_weight(value: _ClassWeight, info: ValidationInfo) -> _ClassWeight:
    if isinstance(value, dict) and not all(0 < weight < math.inf for weight in value.values()):
        raise ValueError("the weight of a class must be a number above 0")
    parameters = info.data.get("parameters", {})
    members = parameters.get("members", ())
    of_members = [one.get("parameters", {}) for one in members if isinstance(one, dict)]
    given = {name for one in (parameters, *of_members) for name in one} & _CLASS_WEIGHTS
    if value != "none" and given:
        raise ValueError(f"train.parameters weigh the classes, too: {', '.join(sorted(given))}")
    return value


class TrainSection(Section):
    """How a model is trained."""

    task: Literal["auto", "binary", "multiclass", "regression"] = Field(
        "auto",
        description="What is predicted: two classes, several classes, or a number; auto: inferred from "
        "the target.",
    )
    positive: str = Field(
        "auto",
        description="Label of the positive class, for two classes; auto: 1, yes or true, else the last "
        "label in sorted order, which a warning names.",
    )
    estimator: Annotated[str, AfterValidator(_estimator)] = Field(
        "lightgbm",
        description="The learner: lightgbm, neural (a small network), blend (of the members that "
        "train.parameters name), module (the estimator() of train.module), or the dotted "
        "path of a scikit-learn compatible estimator, such as sklearn.svm.SVC.",
    )
    objective: Annotated[_Objective, AfterValidator(_objective)] = Field(
        "auto",
        description="What LightGBM lowers, for a number; auto: the squared error. mae and huber heed "
        "outliers less; quantile predicts a quantile (train.alpha); poisson is for counts, gamma for "
        "positive amounts, tweedie for amounts that are often 0, cross_entropy for shares from 0 to 1.",
    )
    alpha: float | None = Field(
        None,
        gt=0,
        description="The quantile to predict (quantile; not set: 0.5), the error beyond which the loss "
        "grows linearly (huber; 0.9), or the power of the variance (tweedie; 1.5).",
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Parameters of the estimator, which override the defaults of this project, such as "
        "{num_leaves = 31}.",
    )
    weight: Column = Field(
        "",
        description="Column with the weight of each row, in fitting and in all metrics; it is no feature, "
        "and no request needs it. Only the ratios count; rows of weight 0 are left out. Empty: all count "
        "the same.",
    )
    class_weight: Annotated[
        _ClassWeight, Discriminator(word_or_table), AfterValidator(_class_weight)
    ] = Field(
        "none",
        description="Weights of the classes in fitting, not in metrics: balanced gives all classes the "
        "same sum; {yes = 5.0, no = 1.0} names them, others have 1. Probabilities are then those of the "
        "weighted classes, which train.calibration mends.",
    )
    module: str = Field(
        "",
        description="A Python file of yours with features() or estimator(), such as "
        "model-development/my_model.py; it is stored with the model (docs/own-code.md).",
    )
    features: tuple[Literal["frequency"], ...] = Field(
        (),
        description="Extra features; frequency: for each feature, how often its value occurs in the "
        "training rows.",
    )
    calibration: Literal["none", "sigmoid", "isotonic"] = Field(
        "none",
        description="How probabilities are calibrated, on out-of-fold scores (classes only).",
    )
    folds: int = Field(10, ge=2, le=100, description="Number of folds of the cross-validation.")
    seed: int = Field(0, ge=0, description="Seed of the folds and of the learner.")
    retry: int = Field(
        0,
        ge=0,
        le=200,
        description="Number of other sets of parameters to try when the quality gate rejects the "
        "candidate. The best by out-of-fold score is tested once; train.parameters keep their values.",
    )
    final: Literal["refit", "ensemble"] = Field(
        "refit",
        description="What is served: one model, refitted on all training rows (refit), or the mean of "
        "the models of the folds (ensemble).",
    )
    threshold: Literal["0.5", "f1", "youden", "cost"] = Field(
        "f1",
        description="Decision threshold for two classes: 0.5, or the one with the best F1, Youden index "
        "or cost on out-of-fold scores.",
    )
    cost_false_positive: float = Field(
        1.0, gt=0, description='Cost of a false positive, for threshold = "cost".'
    )
    cost_false_negative: float = Field(
        1.0, gt=0, description='Cost of a false negative, for threshold = "cost".'
    )
    compile: Literal["auto", "never"] = Field(
        "auto",
        description="auto: LightGBM's trees are compiled for serving if a C compiler (cc) is installed.",
    )
    sample_rows: Literal["synthetic", "real"] = Field(
        "synthetic",
        description="The rows that are stored with a model, which it must score the same everywhere: made "
        "up, column by column, without a row or a rare value of the table (synthetic); or the first "
        "training rows (real).",
    )
    threads: int = Field(
        0, ge=0, le=256, description="Number of threads for fitting; 0: one for each core."
    )


class RangeOverride(Section):
    """Changes to the search range of one parameter; None keeps this project's default."""

    low: float | None = None
    high: float | None = None
    log: bool | None = None
    type: Literal["int", "float"] | None = None


_Range = Annotated[Literal[False], Tag("word")] | Annotated[RangeOverride, Tag("table")]


class TuneSection(Section):
    """How `python -m lightmodel tune` searches for better train.parameters."""

    trials: int = Field(
        50, ge=1, le=100_000, description="Number of trials of a study, over all processes."
    )
    timeout: Annotated[str, AfterValidator(duration)] = Field(
        "", description="Time limit of the search, such as 90s, 20m or 2h; empty: no limit."
    )
    folds: int = Field(
        5, ge=2, le=100, description="Number of folds of a trial's cross-validation."
    )
    max_rounds: int = Field(2_000, ge=1, description="Maximum number of boosting rounds in a fold.")
    patience: int = Field(
        50,
        ge=1,
        description="Early stopping: number of rounds without a better loss after which a fold ends.",
    )
    n_startup_trials: int = Field(
        8, ge=1, description="Number of random trials before the sampler learns from the results."
    )
    pruner_percentile: float = Field(
        50.0,
        gt=0,
        le=100,
        description="A trial is pruned after its second fold or later if it is not among this best "
        "percentage of the finished trials, once there are four; 100: no pruning.",
    )
    finalists: int = Field(
        5,
        ge=1,
        le=50,
        description="Number of best trials that are cross-validated in full, with train.folds.",
    )
    ranges: dict[str, Annotated[_Range, Discriminator(word_or_table)]] = Field(
        {},
        description="Ranges that override those of `tune --ranges`, by LightGBM's names: num_leaves = "
        "{low = 2, high = 64}; lambda_l1 = false excludes a parameter from the search.",
    )
    storage: SecretStr | None = Field(
        None,
        description="Address of a database for studies that several machines share, "
        "postgresql://user:password@host:5432/name; not set: a file under store.work.",
    )

    @property
    def timeout_s(self) -> float:
        """Return the time limit of the search in seconds; infinity if there is none."""
        seconds = parse_duration(self.timeout)
        return math.inf if seconds is None else seconds

    def folder(self, work: Path, name: str) -> Path:
        """Return the folder of a study's files."""
        return work / "studies" / name


class GateSection(Section):
    """The quality gate: what a candidate must achieve to be served."""

    metric: Annotated[str, AfterValidator(_gate_metric)] = Field(
        "auto",
        description="The metric that decides; auto: auc, macro_f1 or rmse, by the task, or what "
        "train.objective lowers. Others: log_loss, accuracy, precision, recall, f1, brier, "
        "macro_precision, macro_recall, mae, r2, deviance, pinball.",
    )
    minimum: float | None = Field(
        None,
        description="The worst value that passes (the largest one for log_loss, brier, rmse and "
        "mae), such as 0.8; not set: the candidate must only beat the dummy baseline.",
    )
    max_regression: float = Field(
        0.01,
        ge=0,
        description="How much worse than the served model a candidate may be on the same rows, as a "
        "share of the served model's value.",
    )
    allow_uncompared: bool = Field(
        False,
        description="Whether a candidate passes that cannot be compared with the served model: with "
        "another target or other classes, or where fewer than 30 test rows, or fewer than a tenth of "
        "those new to the served model, satisfy its contract.",
    )
    bootstrap: int = Field(
        200, ge=0, le=10_000, description="Number of bootstrap resamples for confidence intervals."
    )
