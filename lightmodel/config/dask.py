"""The section `dask` of `config.toml`: the workers of a Dask cluster, on other machines."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from lightmodel.config.base import Section

_SCHEDULER = re.compile(r"tcp://[^/\s@:]+:\d{1,5}")


def _scheduler(value: str) -> str:
    if value and not _SCHEDULER.fullmatch(value):
        raise ValueError("it is no address of a scheduler: write tcp://HOST:PORT")
    return value


def _engine(value: str, info: ValidationInfo) -> str:
    if value == "dask" and not info.data.get("scheduler", "invalid"):
        raise ValueError("it needs dask.scheduler, such as tcp://10.0.0.5:8786")
    return value


class DaskSection(Section):
    """Where folds, trials, entries of comparisons and pieces of files are computed."""

    scheduler: Annotated[str, AfterValidator(_scheduler)] = Field(
        "",
        description="Address of a Dask cluster's scheduler, such as tcp://10.0.0.5:8786. Whoever reaches "
        "it can run code on the workers: keep it in a private network.",
    )
    engine: Annotated[Literal["local", "dask"], AfterValidator(_engine)] = Field(
        "local",
        description="What computes: this machine (local), or the workers of the cluster, with the same "
        "results (dask; needs requirements/dask.txt).",
    )
    timeout_s: float = Field(
        60.0,
        gt=0,
        description="Seconds for which the scheduler may not answer, or have no worker, before the run "
        "ends with an error; finished folds are kept, and the next run resumes.",
    )
