"""What Prefect's page shows of a run: the report and tables of results, in JSON's types."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightmodel.config import Config
from lightmodel.contract.task import METRICS
from lightmodel.store.status import tested
from lightmodel.store.verdict import REPORT, TESTING, StoredVerdict
from lightmodel.store.versions import Version, models_of
from lightmodel.watch.files import last_drift

Artefact = Mapping[str, Any]

_DIGITS = 4


def artefacts(config: Config, flow: str) -> list[Artefact]:
    """Return what a flow made last, each with `key`, `title`, and `markdown` or `table`."""
    makers = {"chain": _chain, "tune": _tune, "drift": _drift}
    return makers[flow](config)


def _chain(config: Config) -> list[Artefact]:
    found = _tested_last(config)
    if found is None:
        return []
    version, verdict = found
    intervals = verdict.evaluation.get("intervals", {})
    dummy = verdict.evaluation.get("dummy", {})
    table = [
        {
            "metric": METRICS[name].title if name in METRICS else name,
            "value": _number(value),
            "interval (95 %)": " to ".join(str(_number(end)) for end in intervals.get(name, ())),
            "dummy": _number(dummy.get(name)),
        }
        for name, value in verdict.metrics.items()
    ]
    title = f"Metrics of {version.name} on the test rows"
    return [
        {
            "key": "report",
            "title": f"Report on {version.name}",
            "markdown": _text(version, verdict),
        },
        {"key": "metrics", "title": title, "table": table},
    ]


def _tested_last(config: Config) -> tuple[Version, StoredVerdict] | None:
    """Return the version that was tested last: a retry may choose one that is not the newest."""
    store = models_of(config)
    found = [
        (version, verdict)
        for version in store.newest_first()
        if (verdict := tested(version, store)[1]) and verdict.by == TESTING
    ]
    return max(found, key=lambda one: one[1].created, default=None)


def _text(version: Version, verdict: StoredVerdict) -> str:
    state = "approved" if verdict.passed else "rejected"
    reasons = "\n".join(f"- {one}" for one in verdict.reasons)
    report = (version.folder / REPORT).resolve()
    return f"# {version.name}: {state}\n\n{reasons}\n\nThe whole report is the file `{report}`.\n"


def _tune(config: Config) -> list[Artefact]:
    # Imported here because the other flows' results need none of it.
    from lightmodel.pipeline.tune import FINALISTS

    studies = config.tune.folder(config.store.work, "x").parent
    files = sorted(studies.glob(f"*/{FINALISTS}"), key=lambda file: file.stat().st_mtime)
    if not files:
        return []
    with files[-1].open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    return [{"key": "finalists", "title": f"Best trials, of {_name(files[-1])}", "table": table}]


def _name(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def _drift(config: Config) -> list[Artefact]:
    report = last_drift(config)
    if report is None:
        return []
    table = [
        {
            "column": test.column,
            "effect": _number(test.effect),
            "p-value": _number(test.p_value),
            "drifted": "yes" if test.drifted else "no",
        }
        for test in report.tests
    ]
    title = f"Drift of {report.compared:,} rows that {report.version} answered: {report.verdict}"
    return [{"key": "drift", "title": title, "table": table}] if table else []


def _number(value: float | None) -> float | None:
    """Return a number that JSON can hold, as it is shown."""
    return None if value is None or math.isnan(value) else round(value, _DIGITS)
