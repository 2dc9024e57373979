"""The model's card: where it comes from and how good it is, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from lightmodel.contract.columns import Contract
from lightmodel.contract.metrics import METRICS
from lightmodel.contract.task import TaskKind
from lightmodel.report import formatting as words
from lightmodel.scoring.loaded_model import Served
from lightmodel.store.verdict import StoredVerdict

GAINS, PICTURE = "feature_importance_gain.json", "feature_importance_gain.png"
_MOST_FEATURES = 15


@dataclass(frozen=True)
class MetricRow:
    """One metric, out of fold and on the test rows."""

    title: str
    out_of_fold: str
    test: str
    lower_is_better: bool
    decides: bool


@dataclass(frozen=True)
class FeatureBar:
    """How much the model goes by a feature.

    Attributes:
        share: of all features' gain, in per cent, in words.
        length: of its bar in per cent; the most important feature has 100.
    """

    name: str
    share: str
    length: str


@dataclass(frozen=True)
class Card:
    """What the card says.

    Attributes:
        task: in words.
        trained: when, to the minute.
        facts: heading → text.
        metrics: the one that decided first.
        headline: that one, on the test rows, where there is a verdict.
        has_report: whether there is a report to link to.
        features: those that the model goes by most.
        has_picture: whether there is a picture of their importance.
    """

    task: str
    trained: str
    facts: Mapping[str, str]
    metrics: tuple[MetricRow, ...]
    headline: str
    has_report: bool
    features: tuple[FeatureBar, ...]
    has_picture: bool


def card_of(served: Served, verdict: StoredVerdict | None, gains: Mapping[str, float]) -> Card:
    """Put together the card.

    Args:
        served: the model.
        verdict: on it; None: the card tells only of training.
        gains: feature → importance; empty where the estimator does not tell.
    """
    manifest, contract = served.manifest, served.contract
    rows = _metric_rows(manifest.metrics, verdict)
    return Card(
        task=_task(contract),
        trained=words.moment(manifest.created),
        facts=_facts(served),
        metrics=rows,
        headline=f"{rows[0].title} {rows[0].test}" if verdict and rows else "",
        has_report=bool(verdict and verdict.report_sha256),
        features=_feature_bars(gains),
        has_picture=PICTURE in manifest.files,
    )


def _task(contract: Contract) -> str:
    task = contract.task
    if task.kind is TaskKind.REGRESSION:
        return "Regression"
    if task.kind is TaskKind.BINARY:
        return "Binary classification"
    return f"Classification into {words.count(len(task.labels))} classes"


def _facts(served: Served) -> dict[str, str]:
    manifest = served.manifest
    learner = str(manifest.parameters.get("learner", {}).get("estimator", manifest.runtime))
    facts = {
        "Version": served.version,
        "Trained": words.moment(manifest.created),
        "Task": _task(served.contract),
        "Learner": "LightGBM" if learner == "lightgbm" else words.shown(learner.rpartition(".")[2]),
        "Features": words.count(len(served.contract.features)),
        "Training rows": words.count(manifest.rows.get("train", 0)),
        "Test rows": words.count(manifest.rows.get("test", 0)),
    }
    if manifest.threshold is not None:
        facts["Threshold"] = words.number(manifest.threshold)
    if manifest.commit:
        facts["Commit"] = manifest.commit[:12]
    return facts


def _metric_rows(
    out_of_fold: Mapping[str, float | None], verdict: StoredVerdict | None
) -> tuple[MetricRow, ...]:
    test = verdict.metrics if verdict else {}
    deciding = verdict.metric if verdict else ""
    names = sorted(
        out_of_fold.keys() | test.keys(), key=lambda name: (name != deciding, _place(name), name)
    )
    return tuple(
        MetricRow(
            words.metric_title(name),
            words.number(out_of_fold.get(name)),
            words.number(test.get(name)),
            words.lower_is_better(name),
            name == deciding,
        )
        for name in names
    )


def _place(name: str) -> int:
    known = list(METRICS)
    return known.index(name) if name in known else len(known)


def _feature_bars(gains: Mapping[str, float]) -> tuple[FeatureBar, ...]:
    whole, largest = sum(gains.values()), max(gains.values(), default=0.0)
    if largest <= 0:
        return ()
    first = sorted(gains, key=lambda name: (-gains[name], name))[:_MOST_FEATURES]
    return tuple(
        FeatureBar(name, words.percent(gains[name] / whole), f"{100 * gains[name] / largest:.1f}")
        for name in first
        if gains[name] > 0
    )
