"""What a training table must fulfil beyond its contract, all failures at once."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.arrays import Mask
from lightmodel.contract.columns import Contract
from lightmodel.errors import SHOWN_ROWS, Violation


def check_target(values: pa.ChunkedArray, contract: Contract) -> tuple[Violation, ...]:
    """Check the target for what no model can be trained on; infinite numbers break the contract.

    Args:
        values: of the target, in the contract's type.
        contract: inferred from the table, or the one that it was held against.
    """
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
