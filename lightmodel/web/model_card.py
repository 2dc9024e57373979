"""The model's card: where it comes from and how good it is, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from lightmodel.artefacts.verdicts import StoredVerdict
from lightmodel.domain.contract import Contract
from lightmodel.domain.metrics import METRICS
from lightmodel.domain.task import TaskKind
from lightmodel.report import words
from lightmodel.wiring.serving import Served

IMPORTANCE = "feature_importance_gain.png"


@dataclass(frozen=True)
class MetricRow:
    """One metric, out of fold and on the test rows."""

    title: str
    out_of_fold: str
    test: str
    lower_is_better: bool
    decides: bool


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
        has_importance: whether there is a picture of what the model goes by.
    """

    task: str
    trained: str
    facts: Mapping[str, str]
    metrics: tuple[MetricRow, ...]
    headline: str
    has_report: bool
    has_importance: bool


def card_of(served: Served, verdict: StoredVerdict | None) -> Card:
    """Put together the card; without a verdict it tells only of training."""
    manifest, contract = served.manifest, served.contract
    rows = _metric_rows(manifest.metrics, verdict)
    return Card(
        task=_task(contract),
        trained=words.moment(manifest.created),
        facts=_facts(served),
        metrics=rows,
        headline=f"{rows[0].title} {rows[0].test}" if verdict and rows else "",
        has_report=bool(verdict and verdict.report_sha256),
        has_importance=IMPORTANCE in manifest.files,
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
    learner = manifest.parameters.get("learner", {}).get("estimator", manifest.runtime)
    facts = {
        "Version": served.version,
        "Trained": words.moment(manifest.created),
        "Task": _task(served.contract),
        "Learner": words.shown(learner),
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
