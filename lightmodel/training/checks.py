"""What a training table must fulfil beyond its contract, by pandera, all failures at once."""

import numpy as np
import pandas as pd
import pandera.pandas as pa_schema
import pyarrow as pa
from pandera.errors import SchemaErrors

from lightmodel.contract.columns import Column, Contract
from lightmodel.errors import SHOWN_ROWS, Violation

_WHOLE_COLUMN = {
    "empty": "holds no value at all",
    "constant": "holds the same value in every row, so there is nothing to learn",
}
_SINGLE = "single_row_class"


def check_training_table(table: pa.Table, contract: Contract) -> tuple[Violation, ...]:
    """Check target and features for what no model can be trained on.

    Args:
        table: of plain types, with distinct column names.
        contract: inferred from it, or the one that it was held against.
    """
    names = [contract.target.name, *contract.feature_names]
    frame = table.select(names).to_pandas(split_blocks=True)
    features = {column.name: _feature_schema(column) for column in contract.features}
    schema = pa_schema.DataFrameSchema({contract.target.name: _target_schema(contract), **features})
    try:
        schema.validate(frame, lazy=True, inplace=True)  # no copy of a big table
    except SchemaErrors as errors:
        return tuple(_violations(errors.failure_cases, frame[contract.target.name]))
    return ()


def _target_schema(contract: Contract) -> pa_schema.Column:
    checks = [
        pa_schema.Check(lambda series: series.notna().any(), name="empty"),
        pa_schema.Check(lambda series: series.nunique() != 1, name="constant"),
        _finite(contract.target),
        pa_schema.Check(lambda series: series.notna(), name="missing", ignore_na=False),
    ]
    if contract.task.kind.has_classes:
        checks.append(pa_schema.Check(_has_company, name=_SINGLE))
    return pa_schema.Column(checks=checks, nullable=True)


def _has_company(labels: "pd.Series[str]") -> "pd.Series[bool]":
    """Say of each row whether its class has another one."""
    return labels.map(labels.value_counts()) > 1


def _feature_schema(column: Column) -> pa_schema.Column:
    checks = [_finite(column)] if column.type.is_numeric else []
    return pa_schema.Column(checks=checks, nullable=True)


def _finite(column: Column) -> pa_schema.Check:
    if not column.type.is_numeric:
        return pa_schema.Check(lambda _: True, name="infinite")
    return pa_schema.Check(lambda series: ~np.isinf(series.astype(np.float64)), name="infinite")


def _violations(failures: pd.DataFrame, target: "pd.Series[str]") -> list[Violation]:
    found = []
    for (name, rule), cases in failures.groupby(["column", "check"], sort=False):
        if rule in _WHOLE_COLUMN:
            found.append(Violation(str(name), str(rule), _WHOLE_COLUMN[str(rule)]))
            continue
        rows = sorted(int(index) + 1 for index in cases["index"])
        found.append(
            Violation(str(name), str(rule), _detail(str(rule)), tuple(rows[:SHOWN_ROWS]), len(rows))
        )
    rules = {(violation.column, violation.rule) for violation in found}
    if (target.name, "empty") in rules:  # it implies the others
        found = [item for item in found if item.column != target.name or item.rule == "empty"]
    return found


def _detail(rule: str) -> str:
    return {
        "infinite": "is infinite",
        "missing": "is the target and has no value: remove these rows",
        _SINGLE: "is the only row of its class: remove it, or merge the class with another",
    }[rule]
