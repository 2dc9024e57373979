"""Try a data source: read the table as `preprocess` does, and publish nothing."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lightmodel.config import Config
from lightmodel.contract.columns import Contract
from lightmodel.contract.profile import Profile
from lightmodel.contract.results import Drift
from lightmodel.errors import LightModelError
from lightmodel.pipeline.context import RunContext
from lightmodel.pipeline.preprocess import accepted_table
from lightmodel.progress import Progress, SilentProgress
from lightmodel.sources.factory import fetch_table
from lightmodel.tables.base import TableRead

if TYPE_CHECKING:  # pandas and scipy take seconds to import
    from lightmodel.training.preprocess import PreprocessOptions

HEAD_ROWS = 20


@dataclass(frozen=True)
class SourceTrial:
    """What a table is like, and what `preprocess` would say of it.

    Attributes:
        source: where it came from, without secrets.
        size: in bytes.
        rows: number of its rows.
        head: its first rows, by column.
        contract: inferred from it; None if it cannot be used at all.
        profile: of its columns; None likewise.
        warnings: what is unusual about it.
        served: the approved model with which it is compared; "" without one.
        before: the profile of that model's table, if there is one.
        drift: of each column from that table, the largest first.
        problem: why `preprocess` would refuse the table; None if it would not.
    """

    source: str
    size: int
    rows: int
    head: dict[str, list[Any]]
    contract: Contract | None = None
    profile: Profile | None = None
    warnings: tuple[str, ...] = ()
    served: str = ""
    before: Profile | None = None
    drift: tuple[Drift, ...] = ()
    problem: LightModelError | None = None


def try_source(config: Config, progress: Progress) -> SourceTrial:
    """Fetch and read the table that `data.source` names, and check it.

    Raises:
        LightModelError: it cannot be fetched, or is no table.
    """
    from lightmodel.tables.reading import read_source

    fetched = fetch_table(config, progress)
    read = read_source(fetched.paths, config.data, work=config.store.work)
    head = read.table.slice(0, HEAD_ROWS).to_pydict()
    trial = SourceTrial(fetched.uri, fetched.size, read.table.num_rows, head)
    return _compared(_inferred(trial, config, read), config, read)


def _inferred(trial: SourceTrial, config: Config, read: TableRead) -> SourceTrial:
    """Return the trial with the contract that the table has by itself."""
    from lightmodel.training.preprocess import preprocess

    try:
        result = preprocess(read.table, _options(config), None, read.dialect)
    except LightModelError as error:
        return replace(trial, problem=error)
    return replace(
        trial, contract=result.contract, profile=result.profile, warnings=result.warnings
    )


def _compared(trial: SourceTrial, config: Config, read: TableRead) -> SourceTrial:
    """Return the trial with the comparison with the approved model's table, if there is one."""
    from lightmodel.training.drift import reject_drift
    from lightmodel.training.preprocess import preprocess

    approved = RunContext(config, SilentProgress()).served()
    accepted = accepted_table(approved)
    if approved is None or accepted is None or trial.profile is None:
        return trial
    trial = replace(trial, served=approved.name, before=accepted.profile)
    if config.data.contract == "new":
        return trial
    try:
        result = preprocess(read.table, _options(config), accepted, read.dialect)
        trial = replace(trial, drift=result.drift, warnings=result.warnings)
        reject_drift(result.drift, config.data.max_drift)
    except LightModelError as error:
        return replace(trial, problem=error)
    return trial


def _options(config: Config) -> "PreprocessOptions":
    """Return the options of preprocessing, by which drift is only measured."""
    from lightmodel.training.preprocess import PreprocessOptions

    data = config.data.model_copy(update={"max_drift": None})
    return PreprocessOptions(data, config.split, config.train)
