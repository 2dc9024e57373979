"""From a table to a training table, a test table and the contract that both keep."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats

from lightmodel.config import DataSection, SplitSection, TrainSection
from lightmodel.contract.cells import Mask, Vector
from lightmodel.contract.columns import Contract, Dialect
from lightmodel.contract.inference import ColumnHints, infer, require_column
from lightmodel.contract.profile import ColumnProfile, Profile, present_numbers, profile
from lightmodel.contract.results import Drift
from lightmodel.contract.task import label_name
from lightmodel.errors import (
    SHOWN_ROWS,
    ConfigError,
    ContractViolation,
    DataError,
    DriftExceeded,
    Violation,
)
from lightmodel.tables.check import conform
from lightmodel.tables.encode import target_vector
from lightmodel.training.split import Method, later_side, row_keys, side_for_testing, uniform

_NEW_CONTRACT = "if the change is wanted, accept it with --set data.contract=new"
_NOTABLE = 0.2  # of a drift's statistic
_CHANCE = 0.001


@dataclass(frozen=True)
class Accepted:
    """What an earlier table left: the contract to keep and the profile to measure drift from."""

    contract: Contract
    profile: Profile


@dataclass(frozen=True)
class Preprocessed:
    """The two tables, in the source's row order, and what is known of them."""

    train: pa.Table
    test: pa.Table
    contract: Contract
    profile: Profile
    drift: tuple[Drift, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class PreprocessOptions:
    """The parts of the configuration that preprocess looks at."""

    data: DataSection
    split: SplitSection
    train: TrainSection

    @property
    def hints(self) -> ColumnHints:
        """The settings that inferring the contract looks at."""
        kind, _, column = self.split.method.partition(":")
        ignore = self.data.ignore
        if kind in {"time", "group"} and column not in ignore:
            ignore = (*ignore, column)
        return ColumnHints(
            self.data.target, self.data.id, ignore, self.train.task, self.train.positive
        )


def preprocess(
    table: pa.Table,
    options: PreprocessOptions,
    accepted: Accepted | None,
    dialect: Dialect | None = None,
) -> Preprocessed:
    """Check a table and split it.

    Args:
        table: of plain types, as it was read.
        options: from the configuration.
        accepted: what the newest approved model was trained on; None to start anew.
        dialect: how the table was written.

    Raises:
        ContractViolation: with everything that is wrong with the table.
        DriftExceeded: it moved further than `data.max_drift`.
    """
    _refuse_repeated_names(table)
    inferred = infer(table, options.hints, dialect)
    warnings = list(inferred.warnings)
    drift: tuple[Drift, ...] = ()
    old = accepted.contract if accepted else None
    table, contract = _held(table, inferred.contract, old, warnings)
    today = profile(table, contract)
    if accepted:
        drift = _measure_drift(table, today, accepted.profile, options.data.max_drift)
        _refuse_drift(drift, options.data.max_drift)
    side = _side(table, contract, options.split)
    train, test = table.filter(pa.array(~side)), table.filter(pa.array(side))
    warnings += _about_split(train, test, contract, options.train.folds)
    if contract.id:
        repeated = table.num_rows - len(table[contract.id.name].unique())
        if repeated:
            warnings.append(f"{repeated:,} rows repeat an id; rows of one id stay on one side")
    return Preprocessed(train, test, contract, today, drift, tuple(warnings))


def _refuse_repeated_names(table: pa.Table) -> None:
    names = table.column_names
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise ContractViolation(
            [Violation(name, "duplicate_column", "stands twice") for name in repeated],
            what="the table",
        )


def _held(
    table: pa.Table, inferred: Contract, accepted: Contract | None, warnings: list[str]
) -> tuple[pa.Table, Contract]:
    """Validate a table against the contract in force, and widen that by what was seen.

    Where none is in force, the table's own one holds; the table comes in its form either way.
    """
    contract = accepted or inferred
    if contract.target.name != inferred.target.name:
        raise DataError(
            f"the target is {inferred.target.name!r}, and the approved model under this store "
            f"predicts {contract.target.name!r}",
            hint=f"give each table a store.root of its own, or {_NEW_CONTRACT[3:]}",
        )
    conformed = conform(table, contract, with_target=True, decimal=inferred.decimal)
    target = check_target(table[contract.target.name], contract)
    # For a target without a value, `check_target` has better words.
    told = (contract.target.name, "missing")
    wrong = [item for item in conformed.violations if (item.column, item.rule) != told]
    if wrong or target:
        hint = _NEW_CONTRACT if accepted and wrong else ""
        raise ContractViolation((*target, *wrong), what="the table", hint=hint)
    if accepted is None:
        return conformed.table, contract
    if conformed.extra:
        warnings.append(
            f"columns that the contract does not know are left out: {', '.join(conformed.extra)}"
        )
    for name, count in conformed.unseen.items():
        warnings.append(f"column {name!r}: {count:,} rows hold a category that is new")
    return conformed.table, contract.widened(inferred).only(conformed.table.column_names)


def _measure_drift(
    table: pa.Table, today: Profile, reference: Profile, limit: float | None
) -> tuple[Drift, ...]:
    """Compare `table`, which `today` describes, with that of `reference`, furthest column first.

    A column has drifted when its statistic is beyond `limit` (else 0.2) and a sample of this
    size would hardly ever show that by chance; so a handful of rows raises no alarm.
    """
    found = []
    for name, now in today.columns.items():
        before = reference.columns.get(name)
        if before is None or (before.counts is None) != (now.counts is None):
            continue
        if now.counts is None:
            test, (statistic, p_value) = (
                "ks",
                _numeric_drift(before, present_numbers(table[name]), now),
            )
        else:
            test, (statistic, p_value) = "psi", _categorical_drift(before, now)
        far = statistic > (_NOTABLE if limit is None else limit)
        found.append(Drift(name, statistic, test, p_value, far and p_value < _CHANCE))
    return tuple(sorted(found, key=lambda drift: (-drift.statistic, drift.column)))


def _numeric_drift(
    before: ColumnProfile, numbers: Vector, now: ColumnProfile
) -> tuple[float, float]:
    """Kolmogorov-Smirnov at the points that the profile holds; a change in missing counts as well."""
    distance, enough = 0.0, 1.0
    if before.grid and len(numbers):
        shares = np.searchsorted(numbers, np.array(before.grid), side="right") / len(numbers)
        distance = float(np.abs(shares - np.array(before.shares)).max())
        enough = before.sampled * len(numbers) / (before.sampled + len(numbers))
    gone = abs(now.missing - before.missing)
    if gone > distance:
        counts = [
            [side.missing * side.rows, (1 - side.missing) * side.rows] for side in (before, now)
        ]
        return gone, _chi_squared(np.array(counts))
    return distance, float(stats.kstwobign.sf(distance * np.sqrt(enough)))


def _categorical_drift(before: ColumnProfile, now: ColumnProfile) -> tuple[float, float]:
    """Population stability index over all categories and "missing", with a chi-squared test."""
    old, new = before.counts or {}, now.counts or {}
    names = sorted({*old, *new})
    counts = np.array([[side.get(name, 0) for name in names] for side in (old, new)], dtype=float)
    missing = [[side.missing * side.rows] for side in (before, now)]
    counts = np.hstack([counts, missing])
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] == 0 or not counts.sum(axis=1).all():
        return 0.0, 1.0
    smooth = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    psi = float(((smooth[1] - smooth[0]) * np.log(smooth[1] / smooth[0])).sum())
    return psi, _chi_squared(counts)


def _chi_squared(counts: Vector) -> float:
    used = counts[:, counts.sum(axis=0) > 0]
    if used.shape[1] < 2:
        return 1.0
    return float(stats.chi2_contingency(used).pvalue)


def _refuse_drift(drift: tuple[Drift, ...], limit: float | None) -> None:
    moved = [item for item in drift if item.drifted]
    if limit is None or not moved:
        return
    names = ", ".join(f"{item.column} ({item.test} {item.statistic:.3f})" for item in moved[:5])
    more = f" and {len(moved) - 5} more" if len(moved) > 5 else ""
    raise DriftExceeded(
        f"{len(moved)} columns moved further than data.max_drift = {limit:g} from the table of the "
        f"approved model: {names}{more}; nothing was trained",
        hint="look at the source; to accept the new table, raise data.max_drift or unset it",
    )


def _classes(table: pa.Table, contract: Contract) -> Vector:
    target = contract.target.name
    if not contract.task.kind.has_classes:
        raise ConfigError(
            f"split.method=stratified needs classes, and the target {target!r} is a number",
            hint="set split.method to auto or random",
        )
    return target_vector(table[target], contract.task)


def _side(table: pa.Table, contract: Contract, split: SplitSection) -> Mask:
    method = Method.parse(split.method, has_classes=contract.task.kind.has_classes)
    require_column(table, method.column)
    if method.kind == "time":
        if gaps := table[method.column].null_count:
            raise DataError(f"column {method.column!r} orders the rows, and {gaps} have no value")
        side = later_side(table[method.column], split.test_share)
    else:
        classes = _classes(table, contract) if method.kind == "stratified" else None
        draws = uniform(row_keys(table, contract, method), split.seed)
        side = side_for_testing(draws, split.test_share, classes)
    if side.all() or not side.any():
        raise DataError(
            f"the split leaves {int(side.sum())} of {len(side)} rows for testing",
            hint="use more rows, another split.method or another split.test_share",
        )
    return side


def _about_split(train: pa.Table, test: pa.Table, contract: Contract, folds: int) -> list[str]:
    """Warn of classes too small for every fold, or for any test."""
    if not contract.task.kind.has_classes:
        return []
    warnings = []
    target, task = contract.target.name, contract.task
    codes = [target_vector(side[target], task).astype(np.int64) for side in (train, test)]
    sides = [np.bincount(side, minlength=len(task.labels)) for side in codes]
    for label, trained, tested in zip(task.labels, *sides, strict=True):
        name = label_name(label)
        if trained < folds:
            warnings.append(
                f"class {name} has fewer training rows ({trained}) than there are folds ({folds}): "
                f"at most {trained} of them can validate it"
            )
        if tested == 0:
            warnings.append(f"class {name} has no test row, so its scores are not measured")
    return warnings


def check_target(values: pa.ChunkedArray, contract: Contract) -> tuple[Violation, ...]:
    """Check the target, in the contract's type, for what no model can be trained on."""
    name = contract.target.name
    present = values.drop_null()
    if not len(present):
        return (Violation(name, "empty", "holds no value at all"),)
    found = []
    counts = present.value_counts()
    if len(counts) == 1:
        detail = "holds the same value in every row, so there is nothing to learn"
        found.append(Violation(name, "constant", detail))
    missing = values.is_null(nan_is_null=True).to_numpy()
    if missing.any():
        detail = "is the target and has no value: remove these rows"
        found.append(_violation(name, "missing", detail, missing))
    single = counts.field("values").filter(pc.equal(counts.field("counts"), 1))
    if len(single) and contract.task.kind.has_classes:
        detail = "is the only row of its class: remove it, or merge the class with another"
        alone = pc.is_in(values, value_set=single).to_numpy() & ~missing
        found.append(_violation(name, "single_row_class", detail, alone))
    return tuple(found)


def _violation(name: str, rule: str, detail: str, wrong: Mask) -> Violation:
    rows = np.flatnonzero(wrong) + 1
    return Violation(name, rule, detail, tuple(rows[:SHOWN_ROWS].tolist()), len(rows))
