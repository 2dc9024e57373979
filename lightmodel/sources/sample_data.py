"""The rows of bundled tables: the generated Santander sample, and scikit-learn's data sets.

The sample has the shape of Kaggle's Santander competition: 200 anonymous columns `var_0 … var_199`,
about 10 % positives. Within each class every column is an independent normal variable, so the log-odds
of a row are a sum of one quadratic per column, plus the prior: no model can rank the rows better than
`posterior` does.
"""

import csv
import functools
import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

BLOCK_ROWS = 4096
_WRITING = pa_csv.WriteOptions(include_header=False, quoting_style="none")

COLUMNS = 200
POSITIVE_SHARE = 0.1
ID, TARGET = "ID_code", "target"
FEATURES = tuple(f"var_{index}" for index in range(COLUMNS))
DECIMALS = 4
_BLOCK = 20_000  # rows that are scored at a time

Floats = npt.NDArray[np.float64]


def sample_chunks(rows: int, seed: int) -> Iterator[bytes]:
    """Yield the Santander sample as CSV, block by block."""
    names = (ID, TARGET, *FEATURES)
    yield _header(names)
    start = 0
    for sample in generate_blocks(rows, seed):
        end = start + len(sample.target)
        ids = pa.array([f"row_{row}" for row in range(start, end)])
        features = np.ascontiguousarray(sample.features.T)
        yield _csv([ids, sample.target, *features], names)
        start = end


def sklearn_chunks(name: str) -> Iterator[bytes]:
    """Yield one of scikit-learn's data sets as CSV, the target in the last column."""
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")()
    names = [str(feature) for feature in data.feature_names]
    yield _header([*names, "target"])
    yield _csv([*np.ascontiguousarray(data.data.T), data.target], [*names, "target"])


def _header(names: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(names)
    return text.getvalue().encode()


def _csv(columns: list[object], names: Iterable[str]) -> bytes:
    sink = pa.BufferOutputStream()
    arrays = [column if isinstance(column, pa.Array) else pa.array(column) for column in columns]
    pa_csv.write_csv(pa.record_batch(arrays, names=list(names)), sink, _WRITING)
    return bytes(sink.getvalue())


class _Shape(NamedTuple):
    """Per column: centre and spread of the negatives, then how the positives differ from them."""

    centre: Floats
    spread: Floats
    shift: Floats  # in units of the negatives' spread
    stretch: Floats  # positives' spread over negatives' spread


@functools.cache
def _shape() -> _Shape:
    # The columns are the same for every seed: a seed is another sample of the same population.
    random = np.random.default_rng(20190410)
    centre = random.uniform(-10, 20, COLUMNS).round(2)
    spread = random.uniform(0.5, 8, COLUMNS).round(2)
    strength = random.gamma(2.0, 0.049, COLUMNS)  # a few strong columns, many weak ones
    shift = strength * random.choice([-1.0, 1.0], COLUMNS)
    stretch = random.normal(1.0, 0.05, COLUMNS)
    return _Shape(centre, spread, shift, stretch)


class Sample(NamedTuple):
    """A generated table: `features` (rows, 200) rounded to four decimals, `target` (rows,) of 0 and 1."""

    features: Floats
    target: npt.NDArray[np.int64]


def generate(rows: int, seed: int) -> Sample:
    """Return `rows` random rows; the same seed gives the same rows, and another seed independent ones."""
    features, targets = zip(*generate_blocks(rows, seed), strict=True)
    return Sample(np.concatenate(features), np.concatenate(targets))


def generate_blocks(rows: int, seed: int) -> Iterator[Sample]:
    """Yield the rows of `generate`, BLOCK_ROWS at a time."""
    random = np.random.default_rng([20190226, seed])
    # the targets come first: a byte for each row, however many there are
    positive = np.concatenate([random.random(count) < POSITIVE_SHARE for count in _counts(rows)])
    start = 0
    for count in _counts(rows):
        yield _block(random.standard_normal((count, COLUMNS)), positive[start : start + count])
        start += count


def _counts(rows: int) -> Iterator[int]:
    for start in range(0, rows, BLOCK_ROWS):
        yield min(BLOCK_ROWS, rows - start)


def _block(features: Floats, positive: npt.NDArray[np.bool_]) -> Sample:
    """Return rows made of standard normal numbers, which it overwrites."""
    shape = _shape()
    features[positive] = features[positive] * shape.stretch + shape.shift
    features *= shape.spread
    features += shape.centre
    return Sample(features.round(DECIMALS, out=features), positive.astype(np.int64))


def posterior(features: Floats) -> Floats:
    """Return P(target = 1) of each row of `features` (rows, 200), exact by construction."""
    shape = _shape()
    standard = (features - shape.centre) / shape.spread
    positive = (standard - shape.shift) / shape.stretch
    log_ratio = (standard**2 - positive**2) / 2 - np.log(shape.stretch)
    logit = log_ratio.sum(axis=1) + np.log(POSITIVE_SHARE / (1 - POSITIVE_SHARE))
    probability: Floats = 1 / (1 + np.exp(-logit))
    return probability


def best_scores(uri: str, table: pa.Table) -> Floats | None:
    """Return scores that no model can beat where `uri` names this sample, else None."""
    if not uri.startswith("sample://santander") or not set(FEATURES) <= set(table.column_names):
        return None
    blocks = (table.slice(start, _BLOCK) for start in range(0, max(1, table.num_rows), _BLOCK))
    return np.concatenate(
        [
            posterior(np.column_stack([rows[name].to_numpy() for name in FEATURES]))
            for rows in blocks
        ]
    )
