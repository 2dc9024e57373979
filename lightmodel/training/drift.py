"""Measure how far the columns of a table drifted from the table of the approved model."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lightmodel.contract.cells import Vector
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.contract.profile import GRID, ColumnProfile, Profile, present_numbers
from lightmodel.contract.results import Drift
from lightmodel.contract.time_arrays import is_kind
from lightmodel.errors import DriftExceeded
from lightmodel.training.two_samples import chi_squared, ks_p_value, stability_index

_DRIFT_LIMIT = 0.2  # of the statistic, where data.max_drift is unset
_SIGNIFICANCE = 0.001


@dataclass(frozen=True)
class AcceptedTable:
    """Contract and profile of the last accepted table, against which the next one is checked."""

    contract: Contract
    profile: Profile


def measure_drift(
    table: pa.Table, current: Profile, accepted: AcceptedTable, limit: float | None
) -> tuple[Drift, ...]:
    """Return the drift of each column of `table`, whose profile is `current`, largest first.

    A column has drifted when its statistic exceeds `limit` (else 0.2) and the difference is significant;
    so a few rows raise no alarm.
    """
    drifts = []
    texts = {one.name for one in accepted.contract.features if one.type is ColumnType.TEXT}
    for name, now in current.columns.items():
        before = accepted.profile.columns.get(name)
        if before is None or (before.counts is None) != (now.counts is None):
            continue
        is_text = now.counts is None and pa.types.is_string(table[name].type)
        if is_text != (name in texts):  # lengths are not compared with numbers
            continue
        if is_kind(table[name].type, ColumnType.DATE):  # time goes on: that is no drift
            continue
        if now.counts is None:
            test, numbers = "ks", present_numbers(table[name])
            statistic, p_value = _numeric_drift(before, numbers, now)
        else:
            test, (statistic, p_value) = "psi", _categorical_drift(before, now)
        exceeds = statistic > (_DRIFT_LIMIT if limit is None else limit)
        drifted = exceeds and p_value < _SIGNIFICANCE
        drifts.append(Drift(name, statistic, test, p_value, drifted))
    return tuple(sorted(drifts, key=lambda drift: (-drift.statistic, drift.column)))


def _numeric_drift(
    before: ColumnProfile, numbers: Vector, now: ColumnProfile
) -> tuple[float, float]:
    """Return KS statistic and p-value on the profile's grid, or those of the missing rate if larger."""
    distance, p_value = 0.0, 1.0
    if before.grid and len(numbers):
        distance = _ks_distance(np.array(before.grid), np.array(before.shares), numbers)
        p_value = ks_p_value(distance, before.sampled, len(numbers))
    missing_change = abs(now.missing - before.missing)
    if missing_change > distance:
        counts = [[one.missing * one.rows, (1 - one.missing) * one.rows] for one in (before, now)]
        return missing_change, chi_squared(np.array(counts))
    return distance, p_value


def _ks_distance(grid: Vector, shares: Vector, numbers: Vector) -> float:
    """Return the largest difference of the two distributions at a grid's values, and just below them.

    Below a value of the grid, the profile's share is that of the last one before, plus at most a step.
    """
    upto, below = (
        np.searchsorted(numbers, grid, side) / len(numbers) for side in ("right", "left")
    )
    lowest = np.append(0.0, shares[:-1])
    highest = lowest + np.where(lowest > 0, 1 / GRID, 0.0)
    return float(max(np.abs(upto - shares).max(), (lowest - below).max(), (below - highest).max()))


def _categorical_drift(before: ColumnProfile, now: ColumnProfile) -> tuple[float, float]:
    """Return the population stability index, "missing" being a category, and a chi-squared p-value."""
    old, new = before.counts or {}, now.counts or {}
    names = sorted({*old, *new})
    counts = np.array([[one.get(name, 0) for name in names] for one in (old, new)], dtype=float)
    missing = [[one.missing * one.rows] for one in (before, now)]
    counts = np.hstack([counts, missing])
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] == 0 or not counts.sum(axis=1).all():
        return 0.0, 1.0
    return stability_index(counts), chi_squared(counts)


def reject_drift(drift: tuple[Drift, ...], limit: float | None) -> None:
    """Stop if a column drifted and there is a limit.

    Raises:
        DriftExceeded: names the columns.
    """
    moved = [item for item in drift if item.drifted]
    if limit is None or not moved:
        return
    names = ", ".join(f"{item.column} ({item.test} {item.statistic:.3f})" for item in moved[:5])
    more = f" and {len(moved) - 5} more" if len(moved) > 5 else ""
    raise DriftExceeded(
        f"{len(moved)} columns drifted further than data.max_drift = {limit:g} from the table of the "
        f"approved model: {names}{more}; nothing was trained",
        hint="check the source; to accept the new table, raise data.max_drift or unset it",
    )
