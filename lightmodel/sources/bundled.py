"""Tables that need no network: scikit-learn's data sets and the generated Santander sample.

They are generated once and then cached like a download. The hash of this module's code and the versions
of the libraries serve as ETag.

The sample has the shape of Kaggle's Santander competition: 200 anonymous columns `var_0 … var_199`,
about 10 % positives. Within each class every column is an independent normal variable, so the log-odds
of a row are a sum of one quadratic per column, plus the prior: no model can rank the rows better than
`posterior` does.
"""

import contextlib
import csv
import difflib
import functools
import hashlib
import importlib.metadata
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from lightmodel.errors import ConfigError
from lightmodel.sources.base import FetchOptions, FetchResult
from lightmodel.sources.cache import FileState
from lightmodel.sources.download import Answer, download

SKLEARN = ("breast_cancer", "wine", "diabetes", "digits")
SAMPLES = ("santander",)
DEFAULTS = {"rows": 20_000, "seed": 0}
MAX_ROWS = 1_000_000
MAX_SEED = 2**63 - 1
BLOCK_ROWS = 4096
_WRITING = pa_csv.WriteOptions(include_header=False, quoting_style="none")

COLUMNS = 200
POSITIVE_SHARE = 0.1
ID, TARGET = "ID_code", "target"
FEATURES = tuple(f"var_{index}" for index in range(COLUMNS))
DECIMALS = 4

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """The address of a bundled table, in parts; `parameters` are complete and sorted."""

    scheme: str
    name: str
    parameters: tuple[tuple[str, int], ...] = ()

    @property
    def uri(self) -> str:
        """The address with all its parameters, sorted."""
        query = urlencode(self.parameters)
        return f"{self.scheme}://{self.name}" + (f"?{query}" if query else "")


def fetch(uri: str, options: FetchOptions) -> FetchResult:
    """Generate the table that `uri` names, unless it is cached; see `Source`."""
    table = parse_table(uri)
    return download(functools.partial(_open, table), table.uri, options)


@contextlib.contextmanager
def _open(table: Table, *_: object) -> Iterator[Answer]:
    """Open the table; see `Remote`. An interrupted one is generated anew, which is quick."""
    sample = table.scheme == "sample"
    values = dict(table.parameters)
    label = "-".join([table.name, *(f"{name}{value}" for name, value in values.items())])
    state = FileState(f"{label}.csv", etag=_etag("numpy" if sample else "scikit-learn"))
    yield Answer(state, sample_chunks(**values) if sample else sklearn_chunks(table.name))


def parse_table(uri: str) -> Table:
    """Return the parts of the address of a bundled table.

    Raises:
        ConfigError: the name or a parameter is unknown, or a value is out of range.
    """
    scheme, _, rest = uri.partition("://")
    name, _, query = rest.partition("?")
    scheme, name = scheme.lower(), name.rstrip("/")
    names, defaults = (SAMPLES, DEFAULTS) if scheme == "sample" else (SKLEARN, {})
    if name not in names:
        raise ConfigError(
            f"{uri}: there is no {scheme}://{name}", hint=_hint(name, names, f"{scheme}://")
        )
    given = _parameters(uri, query, defaults)
    return Table(scheme, name, tuple(sorted((defaults | given).items())))


def _parameters(uri: str, query: str, defaults: Mapping[str, int]) -> dict[str, int]:
    given: dict[str, int] = {}
    for key, text in parse_qsl(query, keep_blank_values=True):
        if key not in defaults:
            hint = _hint(key, defaults) if defaults else "leave out the ? and everything after it"
            raise ConfigError(f"{uri}: there is no parameter {key!r}", hint=hint)
        if key in given:
            raise ConfigError(f"{uri}: the parameter {key!r} is given twice", hint="give it once")
        given[key] = _number(uri, key, text)
    return given


def _number(uri: str, key: str, text: str) -> int:
    least, most = (1, MAX_ROWS) if key == "rows" else (0, MAX_SEED)
    if re.fullmatch(r"[0-9]{1,19}", text) and least <= int(text) <= most:
        return int(text)
    raise ConfigError(
        f"{uri}: {key} must be a whole number from {least} to {most}",
        hint=f"for example {key}={DEFAULTS[key]}",
    )


def _hint(word: str, known: Iterable[str], prefix: str = "") -> str:
    names = list(known)
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.7)
    meant = f"did you mean {prefix}{close[0]}? " if close else ""
    return f"{meant}known are {', '.join(prefix + name for name in names)}"


def _etag(library: str) -> str:
    versions = [f"{name}-{importlib.metadata.version(name)}" for name in (library, "pyarrow")]
    if library == "scikit-learn":
        return " ".join(versions)
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    return " ".join([f"generator-{code}", *versions])


def sample_chunks(rows: int, seed: int) -> Iterator[bytes]:
    """Yield the Santander sample as CSV, block by block."""
    names = (ID, TARGET, *FEATURES)
    yield _header(names)
    sample = generate(rows, seed)
    for start in range(0, rows, BLOCK_ROWS):
        end = min(start + BLOCK_ROWS, rows)
        ids = pa.array([f"row_{row}" for row in range(start, end)])
        features = np.ascontiguousarray(sample.features[start:end].T)
        yield _csv([ids, sample.target[start:end], *features], names)


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
    shape = _shape()
    random = np.random.default_rng([20190226, seed])
    target = (random.random(rows) < POSITIVE_SHARE).astype(np.int64)
    features = random.standard_normal((rows, COLUMNS))
    positive = target == 1
    features[positive] = features[positive] * shape.stretch + shape.shift
    features *= shape.spread
    features += shape.centre
    return Sample(features.round(DECIMALS, out=features), target)


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
    return posterior(np.column_stack([table[name].to_numpy() for name in FEATURES]))
