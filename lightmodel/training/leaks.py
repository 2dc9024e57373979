"""Find features that alone decide the target, such as a copy of it, or a code for it."""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from lightmodel.contract.cells import Codes, Vector, float_vector
from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.profile import evenly_spaced
from lightmodel.tables.encode import target_vector

_FIRST_ROWS, _SAMPLED_ROWS = 1_000, 20_000
_MIN_ROWS, _MIN_CLASS_ROWS = 20, 5
_ROWS_PER_CODE = 10  # with fewer, equal rows of a table or of a person decide the target too
_EVIDENCE = (
    20.0  # of the classes agreeing with codes by chance: the natural logarithm of 1 / probability
)
_RESIDUAL = 1e-4  # share of the variance that a monotone function may leave, for rounded copies
_EXACT = 1e-9
_NO_VALUE = -np.inf


def deciding_features(table: pa.Table, contract: Contract) -> tuple[str, ...]:
    """Return the features of which a model without any other would score AUC 1 or R² 1.

    Columns are examined on evenly spaced rows: first on a few, which rule out nearly all of them.
    """
    columns: Sequence[Column] = [one for one in contract.features if _is_examined(one, table)]
    for most in (_FIRST_ROWS, _SAMPLED_ROWS):
        names = [contract.target.name, *(column.name for column in columns)]
        sample = evenly_spaced(table.select(names), most)
        target = target_vector(sample[contract.target.name], contract.task)
        last = most == _SAMPLED_ROWS
        if contract.task.kind.has_classes:
            codes = target.astype(np.int64)
            columns = [
                one for one in columns if _decides_class(_values(sample, one), codes, proved=last)
            ]
        else:
            columns = [
                one for one in columns if _decides_number(_values(sample, one), target, proved=last)
            ]
        if not columns:
            return ()
    return tuple(column.name for column in columns)


def leak_warning(names: Sequence[str]) -> str:
    """Return the sentence that features alone decide the target."""
    several = len(names) > 1
    ignored = json.dumps(list(names), ensure_ascii=False)
    return (
        f"column{'s' if several else ''} {', '.join(map(repr, names))} alone decide"
        f"{', each of them,' if several else 's'} the target: if {'they are' if several else 'it is'} made "
        f"from it, or known only after it, set data.ignore = {ignored}"
    )


def _is_examined(column: Column, table: pa.Table) -> bool:
    plain = column.type.is_numeric or column.type in {ColumnType.BOOLEAN, ColumnType.CATEGORY}
    return plain and column.name in table.column_names


def _values(table: pa.Table, column: Column) -> Vector:
    """Return a column as numbers, a category as a code; what is missing has a number of its own."""
    values = table[column.name]
    if pa.types.is_string(values.type):
        encoded = values.combine_chunks().dictionary_encode()
        values = pa.chunked_array([encoded.indices])
    numbers = float_vector(values)
    return np.where(np.isnan(numbers), _NO_VALUE, numbers)


def _decides_class(values: Vector, codes: Codes, *, proved: bool) -> bool:
    """Return whether each value has one class: of few values, or so that classes do not overlap.

    Without `proved`, some of the rows only fail to disprove it.
    """
    order = np.argsort(values, kind="stable")
    values, codes = values[order], codes[order]
    new_class, starts = codes[1:] != codes[:-1], _starts(values)
    if new_class.sum() > new_class[starts[1:] - 1].sum():
        return False
    counts = np.bincount(codes)
    apart = int(new_class.sum()) + 1 == np.count_nonzero(counts)
    if not proved:
        return apart or len(starts) < len(values)
    if len(values) < _MIN_ROWS or np.count_nonzero(counts) < 2:
        return False
    if apart and counts[counts > 0].min() >= _MIN_CLASS_ROWS:
        return True
    if len(starts) * _ROWS_PER_CODE > len(values):
        return False
    repeated = np.diff(starts, append=len(values)) - 1
    surprise = -np.log(counts[codes[starts]] / len(values))
    return bool((repeated * surprise).sum() >= _EVIDENCE)


def _decides_number(values: Vector, target: Vector, *, proved: bool) -> bool:
    """Return whether the target is a monotone function of the values, or one of few values.

    Without `proved`, some of the rows only fail to disprove it.
    """
    if proved and len(values) < _MIN_ROWS:
        return False
    order = np.lexsort((target, values))
    values, target = values[order], target[order]
    starts = _starts(values)
    if len(starts) < 2:
        return False
    ranks = np.searchsorted(np.sort(target), target).astype(np.float64)
    within, apart = zip(*(_residuals(one, starts) for one in (target, ranks)), strict=True)
    slack = 1 if proved else 10
    if max(apart) <= slack * _RESIDUAL:  # of the ranks too: a few large values dominate variance
        return True
    few = len(starts) * _ROWS_PER_CODE <= len(values) if proved else len(starts) < len(values)
    return few and within[0] <= _EXACT


def _starts(values: Vector) -> Codes:
    """Return where each of the sorted values occurs first."""
    return np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))


def _residuals(target: Vector, starts: Codes) -> tuple[float, float]:
    """Return the shares of variance left by a function of the values, and by a monotone one."""
    counts = np.diff(starts, append=len(target))
    means = np.repeat(np.add.reduceat(target, starts) / counts, counts)
    total = float(((target - target.mean()) ** 2).sum()) or 1.0
    within = float(((target - means) ** 2).sum())
    rising = np.sort(means)
    beyond = min(float(((means - one) ** 2).sum()) for one in (rising, rising[::-1]))
    return within / total, (within + beyond) / total
