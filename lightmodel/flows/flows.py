"""The flows: Prefect's environment loads this file, and there are no libraries of light-model in it."""

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import FailedRun
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

PROJECT = str(Path(__file__).parents[2])
if PROJECT not in sys.path:  # at the end: an installed light-model has other versions beside it
    sys.path.append(PROJECT)

from lightmodel.flows.stages import (
    ERROR,
    QUALITY_GATE_FAILED,
    TRY_AGAIN,
    Job,
    StageFailed,
    end_with_parent,
    held_run,
    read_stage,
    record_exit,
    run_stage,
)

JOB = Job.from_environment()


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a record is more than the traceback of a failure that the run's state describes."""
    return not (record.exc_info and isinstance(record.exc_info[1], FailedRun))


logging.getLogger("prefect.flow_runs").addFilter(_is_news)


def _run(name: str, words: list[str]) -> None:
    logger = get_run_logger()

    def log(line: str) -> None:
        logger.log(logging.ERROR if line.startswith(ERROR) else logging.INFO, "%s", line)

    run_stage(JOB, name, words, log)


def _may_succeed_later(_task: object, _run: object, state: Any) -> bool:  # noqa: ANN401 — Prefect's
    error = state.result(raise_on_failure=False)
    return isinstance(error, StageFailed) and error.code == TRY_AGAIN


# A stage reuses results whose inputs have not changed: it is not Prefect that decides so.
_STAGE = task(
    _run,
    name="stage",
    task_run_name="{name}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=JOB.retries,
    retry_delay_seconds=JOB.retry_delay_s,
    retry_condition_fn=_may_succeed_later,
)


def _stage(name: str, words: Sequence[str], settings: Sequence[str] | None) -> None:
    sets = [word for one in settings or () for word in ("--set", one)]
    _STAGE.with_options(name=name)(name, [*words, *sets])


def _ended(steps: Callable[[], None]) -> Any:  # noqa: ANN401 — a state of Prefect's
    """Run the stages of a flow, and return its state."""
    end_with_parent()
    folder, run_id = Path(JOB.folder), str(flow_run.id)
    with held_run(folder, run_id):
        try:
            steps()
        except StageFailed as error:
            record_exit(folder, run_id, error.code)
            return Failed(message=str(error))
        record_exit(folder, run_id, 0)
        return Completed()


def _chain(reason: str = "", force: bool = False, settings: list[str] | None = None) -> Any:  # noqa: ANN401 — Prefect's parameters
    """Train a model and decide whether it is approved, from the table to the report."""
    why = ["--reason", reason] if reason else []
    again = ["--force"] if force else []

    def steps() -> None:
        for name in ("preprocess", "train"):
            _stage(name, ["run", name, *again, *why], settings)
        try:
            _stage("testing", ["run", "testing", *again, *why], settings)
        except StageFailed as error:
            if error.code != QUALITY_GATE_FAILED:
                raise
            _stage("retry", ["retry", *why], settings)
        finally:
            _show_results("chain")

    return _ended(steps)


def _tune(
    trials: int | None = None, timeout: str | None = None, settings: list[str] | None = None
) -> Any:  # noqa: ANN401 — a state of Prefect's
    """Search for better parameters with Optuna."""
    options = {"--trials": trials, "--timeout": timeout}
    words = [word for name, value in options.items() if value for word in (name, str(value))]

    def steps() -> None:
        _stage("tune", ["tune", *words], settings)
        _show_results("tune")

    return _ended(steps)


def _drift(settings: list[str] | None = None) -> Any:  # noqa: ANN401 — a state of Prefect's
    """Compare recent requests with training."""

    def steps() -> None:
        try:
            _stage("drift", ["drift"], settings)
        finally:
            _show_results("drift")

    return _ended(steps)


def _show_results(name: str) -> None:
    """Show results on the page of the run; a run whose results cannot be shown has not failed."""
    logger = get_run_logger()
    try:
        results = json.loads(read_stage(JOB, ["flows", "results", name]))
    except (StageFailed, ValueError) as error:
        logger.warning("no results are shown: %s", error)
        return
    for result in results:
        if "table" in result:
            create_table_artifact(result["table"], result["key"], result["title"])
        else:
            create_markdown_artifact(result["markdown"], result["key"], result["title"])


_OPTIONS = {"persist_result": False, "validate_parameters": True}
chain = flow(_chain, name="light-model-chain", **_OPTIONS)
tune = flow(_tune, name="light-model-tune", **_OPTIONS)
drift = flow(_drift, name="light-model-drift", **_OPTIONS)
