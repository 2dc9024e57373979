"""Write Evidently's pages of the tables in a folder: `python -I script.py FOLDER`.

The Python of Evidently's environment runs this file, and there is no lightmodel in it. The folder has
`reference.parquet` and `current.parquet`, `labelled.parquet`, or all of them, and `job.json`. The pages
`drift.html` and `labelled.html` are written beside them, and what they say as `result.json`. This process
ends with the one that started it, whose end of its standard input it holds.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # libraries are imported once the thread watches for this process's parent
    import pandas as pd

_TINY = 0.01  # standard deviation


def main(folder: Path) -> None:
    """Write the pages of a folder, or why they cannot be written."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        result = make_pages(folder, json.loads((folder / "job.json").read_bytes()))
    except ImportError as error:
        result = {"missing": str(error)}
    except Exception as error:  # noqa: BLE001 — Evidently's; a message may hold cells of the table
        result = {"failed": _place(error)}
    (folder / "result.json").write_text(json.dumps(result), "utf-8")


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # a buffered read would hold a lock that Python's exit needs
    os._exit(1)


def _place(error: Exception) -> str:
    """Return the kind of an error and the line that raised it, without its message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" in {Path(trace.tb_frame.f_code.co_filename).name}" if trace else ""
    return f"{type(error).__name__}{where}, line {trace.tb_lineno}" if trace else where


def make_pages(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Write the pages, and return what they say."""
    import pandas as pd

    result: dict[str, Any] = {}
    if (current := folder / "current.parquet").exists():
        tables = (pd.read_parquet(folder / "reference.parquet"), pd.read_parquet(current))
        result["drift"] = drift_page(*tables, job["max_drift"], folder / "drift.html")
    if (labelled := folder / "labelled.parquet").exists():
        table = pd.read_parquet(labelled)
        result["labelled"] = labelled_page(table, job["labelled"], folder / "labelled.html")
    return result


def drift_page(
    reference: "pd.DataFrame", current: "pd.DataFrame", max_drift: float, page: Path
) -> dict[str, Any]:
    """Write the page of drift and of each column, and return effect and verdict by column.

    Each method is named, since Evidently's own choice for up to 1,000 rows takes a sample for the truth.
    Its Wasserstein distance divides by 0.001 at least, and so misses what happens to tiny numbers.
    """
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    numbers = list(reference.select_dtypes("number").columns)
    definition = DataDefinition(
        numerical_columns=numbers,
        categorical_columns=[name for name in reference.columns if name not in numbers],
    )
    tiny = [name for name in numbers if reference[name].std() < _TINY]
    drift = DataDriftPreset(
        num_method="wasserstein",
        cat_method="jensenshannon",
        per_column_method=dict.fromkeys(tiny, "jensenshannon"),
        threshold=max_drift,
    )
    sets = [Dataset.from_pandas(one, data_definition=definition) for one in (current, reference)]
    snapshot = Report([drift, DataSummaryPreset()]).run(*sets)
    snapshot.save_html(str(page))
    return {
        metric["config"]["column"]: {
            "method": metric["config"]["method"],
            "effect": metric["value"],
            "drifted": bool(metric["value"] >= max_drift),
        }
        for metric in snapshot.dict()["metrics"]
        if "method" in metric["config"] and "column" in metric["config"]
    }


def labelled_page(table: "pd.DataFrame", job: dict[str, Any], page: Path) -> dict[str, Any]:
    """Write the page of the labelled answers, and return its metrics by name."""
    from evidently import Dataset, Report

    definition, metrics = _regression(job) if job["task"] == "regression" else _classes(job)
    dataset = Dataset.from_pandas(table, data_definition=definition)
    snapshot = Report(metrics).run(dataset, None)
    snapshot.save_html(str(page))
    return {
        metric["metric_name"].partition("(")[0]: metric["value"]
        for metric in snapshot.dict()["metrics"]
    }


def _regression(job: dict[str, Any]) -> tuple[Any, list[Any]]:
    from evidently import DataDefinition, Regression
    from evidently.presets import RegressionPreset

    task = Regression(target=job["label"], prediction=job["decision"])
    definition = DataDefinition(
        numerical_columns=[job["label"], job["decision"]], regression=[task]
    )
    return definition, [RegressionPreset()]


def _classes(job: dict[str, Any]) -> tuple[Any, list[Any]]:
    """Return two tasks: given both decisions and scores, Evidently decides anew by the scores."""
    from evidently import BinaryClassification, DataDefinition, MulticlassClassification
    from evidently.metrics import LogLoss, RocAuc
    from evidently.presets import ClassificationPreset

    label, scores = job["label"], job["scores"]
    tasks: list[Any]
    if job["task"] == "binary":
        given = {"target": label, "pos_label": job["positive"]}
        tasks = [
            BinaryClassification(prediction_labels=job["decision"], **given),
            BinaryClassification(name="scores", prediction_probas=scores[0], **given),
        ]
    else:
        tasks = [
            MulticlassClassification(target=label, prediction_labels=job["decision"]),
            MulticlassClassification(name="scores", target=label, prediction_probas=scores),
        ]
    definition = DataDefinition(
        numerical_columns=scores,
        categorical_columns=[label, job["decision"]],
        classification=tasks,
    )
    of_scores = [metric(classification_name="scores") for metric in (RocAuc, LogLoss)]
    return definition, [ClassificationPreset(), *of_scores]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
