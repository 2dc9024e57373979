"""Test whether two samples come from one distribution.

scipy.stats has these tests, and takes as long to import as the rest of a run on a small table.
"""

from types import ModuleType

import numpy as np

from lightmodel.contract.cells import Vector
from lightmodel.errors import NotPossible

_MIN_EXPECTED = 5.0  # rows of a category: below it, Pearson's test is not reliable


def _special() -> ModuleType:
    """Return scipy.special.

    Raises:
        NotPossible: it is not installed, as in an image that serves a compiled model.
    """
    try:
        import scipy.special
    except ModuleNotFoundError as error:
        raise NotPossible(
            "to compare samples, scipy is needed, which is not installed here",
            hint="`pip install -r requirements.txt` installs it; or run the command in the image that "
            "trains, `docker build --target pipeline .`, on the service's store.root and log.folder",
        ) from error
    special: ModuleType = scipy.special
    return special


def ks_p_value(distance: float, before: int, now: int) -> float:
    """Return the asymptotic p-value of a Kolmogorov-Smirnov distance between samples of these sizes."""
    return float(_special().kolmogorov(distance * np.sqrt(before * now / (before + now))))


def stability_index(counts: Vector) -> float:
    """Return the population stability index (PSI) of (2, categories) counts, plus half a row each."""
    shares = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def chi_squared(counts: Vector) -> float:
    """Return the p-value of Pearson's test that two rows of counts come from one distribution.

    Yates's correction is applied to tables of two by two.
    """
    observed = counts[:, counts.sum(axis=0) > 0]
    freedom = observed.shape[1] - 1
    if freedom < 1:
        return 1.0
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / observed.sum()
    distance = np.abs(observed - expected)
    if freedom == 1:
        distance -= np.minimum(0.5, distance)
    return float(_special().chdtrc(freedom, (distance**2 / expected).sum()))


def pooled(counts: Vector) -> Vector:
    """Return (2, categories) counts in which rare categories are one, so that Pearson's test is reliable.

    A category is rare if fewer than five rows of it are expected in the smaller sample.
    """
    rows = counts.sum(axis=1)
    expected = counts.sum(axis=0) * rows.min() / max(rows.sum(), 1.0)
    rare = expected < _MIN_EXPECTED
    if rare.sum() < 2:
        return counts
    return np.hstack([counts[:, ~rare], counts[:, rare].sum(axis=1, keepdims=True)])


def share_p_value(before: tuple[int, int], now: tuple[int, int]) -> float:
    """Return a two-sided p-value that (counted, rows) of two samples have one share.

    Given the total count, that of the second sample is taken as binomial, which is exact for small
    shares and errs on the safe side for larger ones.
    """
    if not before[0] and not now[0]:
        return 1.0
    counted, rows = np.array([before[0], now[0]]), np.array([before[1], now[1]])
    if 2 * counted.sum() > rows.sum():
        counted = rows - counted
    more = more_p_value((counted[0], rows[0]), (counted[1], rows[1]))
    fewer = _at_most(int(counted[1]), int(counted.sum()), rows[1] / rows.sum())
    return min(1.0, 2 * min(more, fewer))


def more_p_value(before: tuple[int, int], now: tuple[int, int]) -> float:
    """Return the p-value that the share of (counted, rows) in the second sample is not larger."""
    if not now[0]:
        return 1.0
    share = now[1] / (before[1] + now[1])
    return float(_special().bdtrc(int(now[0]) - 1, int(before[0] + now[0]), share))


def _at_most(count: int, total: int, share: float) -> float:
    return float(_special().bdtr(count, total, share))


def holm(p_values: Vector) -> Vector:
    """Return p-values adjusted by Holm's method, (tests,).

    If those below a level count as significant, that level is the probability of even one false alarm
    among all tests, however they depend on each other.
    """
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(count)
    steps = (count - np.arange(count)) * p_values[order]
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if count else steps
    return adjusted
