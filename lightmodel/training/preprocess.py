"""Validate a table against its contract, measure its drift, and split it for training and testing."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.config import DataSection, SplitSection, TrainSection
from lightmodel.contract.cells import Mask, Vector
from lightmodel.contract.columns import Contract, Dialect
from lightmodel.contract.hints import ColumnHints, require_column
from lightmodel.contract.profile import Profile, profile
from lightmodel.contract.results import Drift
from lightmodel.contract.task import label_name
from lightmodel.errors import (
    ConfigError,
    ContractViolation,
    DataError,
    Violation,
)
from lightmodel.tables.check import validate_table
from lightmodel.tables.encode import target_vector
from lightmodel.tables.mapped import rows_where
from lightmodel.training.drift import AcceptedTable, measure_drift, reject_drift
from lightmodel.training.leaks import deciding_features, leak_warning
from lightmodel.training.retraining import contract_in_force
from lightmodel.training.split import (
    Method,
    equal_rows_are_apart,
    random_split,
    row_keys,
    time_split,
    uniform_draws,
)
from lightmodel.training.target_check import check_target
from lightmodel.training.typed_columns import read_texts
from lightmodel.training.weights import reject_other_uses

_NEW_CONTRACT = "if the change is intended, accept it with --set data.contract=new"


@dataclass(frozen=True)
class PreprocessingResult:
    """The two tables, in the source's row order, with their contract, profile and findings.

    Attributes:
        leaks: features that alone decide the target.
    """

    train: pa.Table
    test: pa.Table
    contract: Contract
    profile: Profile
    drift: tuple[Drift, ...]
    warnings: tuple[str, ...]
    leaks: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreprocessOptions:
    """The sections of the configuration that preprocessing uses."""

    data: DataSection
    split: SplitSection
    train: TrainSection

    @property
    def hints(self) -> ColumnHints:
        """The settings that the inference of the contract uses."""
        kind, _, column = self.split.method.partition(":")
        train, data = self.train, self.data
        aside = (column if kind in {"time", "group"} else "", train.weight)
        ignore = tuple(dict.fromkeys((*data.ignore, *filter(None, aside))))
        return ColumnHints(
            data.target,
            data.id,
            ignore,
            data.keep,
            train.task,
            train.positive,
            column if kind == "time" else "",
            data.dates,
            data.text,
            group=column if kind == "group" else "",
            weight=train.weight,
        )


def preprocess(
    table: pa.Table,
    options: PreprocessOptions,
    accepted: AcceptedTable | None,
    dialect: Dialect | None = None,
) -> PreprocessingResult:
    """Validate a table and split it.

    Args:
        table: the table as it was read, with plain types.
        options: the sections of the configuration.
        accepted: of the newest approved model; None to infer a new contract.
        dialect: dialect of the CSV file.

    Raises:
        ConfigError: the settings contradict each other.
        ContractViolation: the table breaks the contract; holds all violations.
        DriftExceeded: a column drifted further than `data.max_drift`.
    """
    _reject_repeated_names(table)
    reject_other_uses(options.train, options.data, options.split)
    require_column(table, options.split.method.partition(":")[2], "split.method")
    old = accepted.contract if accepted else None
    table, contract, warnings = _conform(table, options, old, dialect or Dialect())
    drift: tuple[Drift, ...] = ()
    current = profile(table, contract)
    if accepted:
        drift = measure_drift(table, current, accepted, options.data.max_drift)
        reject_drift(drift, options.data.max_drift)
    mask = _test_mask(table, contract, options.split)
    train, test = rows_where(table, ~mask), rows_where(table, mask)
    warnings += _class_warnings(train, test, contract, options.train.folds)
    if contract.id:
        distinct = pc.count_distinct(table[contract.id.name], mode="all").as_py()
        repeated = table.num_rows - distinct
        if repeated:
            warnings.append(f"{repeated:,} rows repeat an id; rows with the same id are not split")
    leaks = deciding_features(table, contract)
    if leaks:
        warnings.append(leak_warning(leaks))
    return PreprocessingResult(train, test, contract, current, drift, tuple(warnings), leaks)


def _conform(
    table: pa.Table, options: PreprocessOptions, accepted: Contract | None, dialect: Dialect
) -> tuple[pa.Table, Contract, list[str]]:
    """Return the rows to train on, in the types of their contract, with the contract and warnings."""
    hints = options.hints
    if accepted:
        hints = replace(hints, accepted=frozenset(accepted.feature_names))
    table, inferred = read_texts(table, hints, options.data, dialect, accepted)
    _reject_texts(table, hints.time)
    warnings = list(inferred.warnings)
    if accepted:
        decided = {*hints.ignore, *hints.keep, *hints.text}
        aside = {hints.time, hints.group, hints.weight}
        accepted, widened = contract_in_force(accepted, inferred.contract, decided, aside)
        warnings += widened
    table, contract = _validate(table, inferred.contract, accepted, warnings)
    if accepted is None and contract.id is None:
        apart = equal_rows_are_apart(table, contract)
        contract = replace(contract, equal_rows_apart=apart)
    return table, contract, warnings


def _reject_texts(table: pa.Table, name: str) -> None:
    """Refuse to sort by texts, whose order is not that of time.

    Raises:
        DataError: the column by which the table is split holds some.
    """
    if name and pa.types.is_string(table[name].type):
        raise DataError(
            f"split.method: column {name!r} holds texts that are no dates or times, whose order in "
            "time is unknown",
            hint="write dates as 2024-12-31, or numbers; texts that mean a missing value belong in "
            "data.na_values",
        )


def _reject_repeated_names(table: pa.Table) -> None:
    names = table.column_names
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise ContractViolation(
            [Violation(name, "duplicate_column", "occurs more than once") for name in repeated],
            what="the table",
        )


def _validate(
    table: pa.Table, inferred: Contract, accepted: Contract | None, warnings: list[str]
) -> tuple[pa.Table, Contract]:
    """Return the table in the form of its contract, and the accepted contract, widened by the table.

    Without an accepted contract, the inferred one is used.
    """
    contract = accepted or inferred
    if contract.target.name != inferred.target.name:
        raise DataError(
            f"the target is {inferred.target.name!r}, but the approved model in this store "
            f"predicts {contract.target.name!r}",
            hint=f"use a separate store.root for each table, or {_NEW_CONTRACT}",
        )
    conformed = validate_table(table, contract, with_target=True, decimal=inferred.decimal)
    target = check_target(conformed.table[contract.target.name], contract)
    # `check_target` reports a missing target with a better message.
    reported = (contract.target.name, "missing")
    others = [item for item in conformed.violations if (item.column, item.rule) != reported]
    if others or target:
        hint = _NEW_CONTRACT if accepted and others else ""
        if not others and any(item.rule == "missing" for item in target):
            hint = f"in pandas: table.dropna(subset=[{contract.target.name!r}])"
        raise ContractViolation((*target, *others), what="the table", hint=hint)
    if accepted is None:
        return conformed.table, contract
    if conformed.extra:
        warnings.append(
            f"columns that are not in the contract are left out: {', '.join(conformed.extra)}"
        )
    for name, count in conformed.unseen.items():
        warnings.append(f"column {name!r}: {count:,} rows have a new category")
    return conformed.table, contract.widened(inferred).only(conformed.table.column_names)


def _classes(table: pa.Table, contract: Contract) -> Vector:
    target = contract.target.name
    if not contract.task.kind.has_classes:
        raise ConfigError(
            f"split.method=stratified needs classes, but the target {target!r} is a number",
            hint="set split.method to auto or random",
        )
    return target_vector(table[target], contract.task)


def _test_mask(table: pa.Table, contract: Contract, split: SplitSection) -> Mask:
    method = Method.parse(split.method, has_classes=contract.task.kind.has_classes)
    if method.kind == "time":
        if gaps := table[method.column].null_count:
            raise DataError(
                f"split.method: column {method.column!r} has no value in {gaps} rows",
                hint="fill them in or remove these rows, or set another split.method",
            )
        mask = time_split(table[method.column], split.test_share)
    else:
        classes = _classes(table, contract) if method.kind == "stratified" else None
        draws = uniform_draws(row_keys(table, contract, method), split.seed)
        mask = random_split(draws, split.test_share, classes)
    if mask.all() or not mask.any():
        raise DataError(
            f"the split assigns {int(mask.sum())} of {len(mask)} rows to testing",
            hint="use more rows, another split.method or another split.test_share",
        )
    return mask


def _class_warnings(train: pa.Table, test: pa.Table, contract: Contract, folds: int) -> list[str]:
    """Return warnings about classes with fewer rows than folds, or without test rows."""
    if not contract.task.kind.has_classes:
        return []
    warnings = []
    target, task = contract.target.name, contract.task
    codes = [target_vector(part[target], task).astype(np.int64) for part in (train, test)]
    counts = [np.bincount(part, minlength=len(task.labels)) for part in codes]
    for label, trained, tested in zip(task.labels, *counts, strict=True):
        name = label_name(label)
        if trained < folds:
            warnings.append(
                f"class {name} has fewer training rows ({trained}) than there are folds ({folds}): "
                f"at most {trained} of them can validate it"
            )
        if tested == 0:
            warnings.append(f"class {name} has no test rows, so its metrics are undefined")
    return warnings
