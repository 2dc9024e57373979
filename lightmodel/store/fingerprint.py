"""What an artefact was made of, in one short line: the key to using it again.

The line has four parts, such as `inputs=1f0c… parameters=9ab2… code=77d1… libraries=0e45…`, so that
two of them tell what changed.
"""

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_DIGITS = 16


def fingerprint(
    inputs: Mapping[str, Any],
    parameters: Mapping[str, Any],
    modules: Iterable[str],
    distributions: Iterable[str],
) -> str:
    """Give the fingerprint of what is made from these.

    Args:
        inputs: hashes of what is read.
        parameters: the settings that matter.
        modules: full names of the modules that do the work; what they import counts as well,
            and so do C sources beside them.
        distributions: the libraries whose version matters.
    """
    parts = {
        "inputs": _hash_json(inputs),
        "parameters": _hash_json(parameters),
        "code": _hash_code(tuple(modules)),
        "libraries": _hash_json(versions(distributions)),
    }
    return " ".join(f"{name}={digest}" for name, digest in parts.items())


def what_changed(before: str, after: str) -> str:
    """Name the parts in which two fingerprints differ."""
    pairs = zip(before.split(), after.split(), strict=False)
    changed = [new.partition("=")[0] for old, new in pairs if old != new]
    return ", ".join(changed) or "nothing"


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """Give the installed version of each distribution."""
    return {name: metadata.version(name) for name in sorted(distributions)}


def _hash_json(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


@cache
def _hash_code(modules: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(_closure(modules).items()):
        beside = sorted(path.parent.glob("*.c"))
        digest.update(
            name.encode() + b"\0" + b"".join(part.read_bytes() for part in (path, *beside))
        )
    return digest.hexdigest()[:_DIGITS]


def _closure(modules: tuple[str, ...]) -> dict[str, Path]:
    """Follow imports within the package, without importing anything."""
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting.extend(_imported(path))
    return found


def _source(module: str) -> Path | None:
    package = module.partition(".")[0]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    base = Path(spec.origin).parent.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imported(path: Path) -> Iterator[str]:
    package = __name__.partition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.partition(".")[0] == package)
