"""Check that a model can be trained on a target."""

import json

import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.config import DataSection
from lightmodel.contract.columns import Contract
from lightmodel.errors import Violation
from lightmodel.tables.column_rules import violation_of

_SHOWN_TEXTS = 5


def check_target(values: pa.ChunkedArray, contract: Contract) -> tuple[Violation, ...]:
    """Return the violations of a target on which no model can be trained."""
    name = contract.target.name
    present = values.drop_null()
    if not len(present):
        return (Violation(name, "empty", f"has no values{_missing_texts(contract)}"),)
    violations = []
    counts = present.value_counts()
    missing = values.is_null(nan_is_null=True).to_numpy()
    if len(counts) == 1:
        detail = "has the same value in every row, so there is nothing to learn"
        dropped = "" if missing.any() else _missing_texts(contract)  # else it is said below
        violations.append(Violation(name, "constant", detail + dropped))
    if missing.any():
        detail = (
            "is the target and has no value: remove these rows, counted below the header, or set "
            f'data.unlabelled to "drop"{_missing_texts(contract)}'
        )
        violations.append(violation_of(name, "missing", detail, missing))
    single = counts.field("values").filter(pc.equal(counts.field("counts"), 1))
    if len(single) and contract.task.kind.has_classes:
        detail = (
            "is the only row of its class: remove it, merge the class with another, or set "
            'data.rare_classes to "drop" or "merge"'
        )
        is_single = pc.is_in(values, value_set=single).to_numpy() & ~missing
        violations.append(violation_of(name, "single_row_class", detail, is_single))
    return tuple(violations)


def _missing_texts(contract: Contract) -> str:
    """Return the texts that mean a missing value only since data.na_values says so: one may be a label."""
    known = set(DataSection().missing_texts)
    marks = contract.dialect.na_values if contract.dialect else ()
    texts = [text for text in marks if text not in known]
    if not texts:
        return ""
    named = ", ".join(json.dumps(text, ensure_ascii=False) for text in texts[:_SHOWN_TEXTS])
    more = ", …" if len(texts) > _SHOWN_TEXTS else ""
    return f"; data.na_values says that {named}{more} mean{'s' * (len(texts) == 1)} a missing value"
