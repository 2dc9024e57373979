"""How far a table has moved from an earlier one, column by column."""

import numpy as np
import pyarrow as pa
from scipy import stats

from lightmodel.contract.cells import Vector
from lightmodel.contract.columns import Contract
from lightmodel.contract.profile import ColumnProfile, Profile, present_numbers, profile
from lightmodel.contract.results import Drift

NOTABLE = 0.2
CHANCE = 0.001


def measure_drift(
    table: pa.Table, contract: Contract, reference: Profile, limit: float | None = None
) -> tuple[Drift, ...]:
    """Compare `table` with the table that `reference` describes, furthest column first.

    A column has drifted when its statistic is beyond `limit` (0.2 when not given) and a sample of this
    size would hardly ever show that by chance; so a handful of rows raises no alarm.
    """
    found = []
    today = profile(table, contract)
    for name, now in today.columns.items():
        before = reference.columns.get(name)
        if before is None or (before.counts is None) != (now.counts is None):
            continue
        if now.counts is None:
            test, (statistic, p_value) = "ks", _numeric(before, present_numbers(table[name]), now)
        else:
            test, (statistic, p_value) = "psi", _categorical(before, now)
        far = statistic > (NOTABLE if limit is None else limit)
        found.append(Drift(name, statistic, test, p_value, far and p_value < CHANCE))
    return tuple(sorted(found, key=lambda drift: (-drift.statistic, drift.column)))


def _numeric(before: ColumnProfile, numbers: Vector, now: ColumnProfile) -> tuple[float, float]:
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


def _categorical(before: ColumnProfile, now: ColumnProfile) -> tuple[float, float]:
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
