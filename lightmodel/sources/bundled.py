"""Tables that need no network: scikit-learn's data sets and the generated Santander sample.

They are generated once and then cached like a download. The hash of the generator's code and the versions
of the libraries serve as ETag.
"""

import contextlib
import difflib
import functools
import hashlib
import importlib.metadata
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from lightmodel.errors import ConfigError
from lightmodel.sources.base import FetchOptions, FetchResult
from lightmodel.sources.cache import FileState
from lightmodel.sources.download import Answer, download

SKLEARN = ("breast_cancer", "wine", "diabetes", "digits")
SAMPLES = ("santander",)
DEFAULTS = {"rows": 20_000, "seed": 0}
MAX_ROWS = 10_000_000
MAX_SEED = 2**63 - 1
_GENERATOR = Path(__file__).with_name("sample_data.py")


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
    label = "-".join([table.name, *(f"{name}{value}" for name, value in table.parameters)])
    state = FileState(f"{label}.csv", etag=_etag("numpy" if sample else "scikit-learn"))
    yield Answer(state, _chunks(table))


def _chunks(table: Table) -> Iterator[bytes]:
    from lightmodel.sources import sample_data  # not needed for a table that is here already

    if table.scheme == "sample":
        yield from sample_data.sample_chunks(**dict(table.parameters))
    else:
        yield from sample_data.sklearn_chunks(table.name)


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
    code = hashlib.sha256(_GENERATOR.read_bytes()).hexdigest()[:12]
    return " ".join([f"generator-{code}", *versions])
