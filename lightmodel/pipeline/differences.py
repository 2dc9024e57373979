"""In what two models differ, and what was not as it was when the first was made."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

from lightmodel.store import codec
from lightmodel.store.provenance import commit, machine
from lightmodel.store.versions import Version

_SHOWN = 40
_HOLDING_VALUES = frozenset({"contract", "counts"})


def differences(one: Version, other: Version) -> Iterator[str]:
    """Say in what the model.joblib of two versions differ; nothing where the bytes are the same."""
    if one.read(codec.MODEL) == other.read(codec.MODEL):
        return
    before, after = codec.load(one), codec.load(other)
    learners = one.manifest.parameters["learner"], other.manifest.parameters["learner"]
    found = [
        *(line for line in _of_maps("parameter", *learners)),
        *_of_bundles(before, after),
    ]
    yield from found or ["the bytes, though nothing in them: other versions pickle otherwise"]


def _of_bundles(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if codec.dump({key: old}) == codec.dump({key: new}):
            continue
        if key == "samples":
            yield f"samples: {_differing(old or (), new or ())} of {len(old or ())} rows"
        elif key in _HOLDING_VALUES:
            yield key  # what it holds comes from the table
        elif key == "model":
            yield from _of_models(old or {}, new or {})
        else:
            yield f"{key}: {_shown(old)}, and here {_shown(new)}"


def _of_models(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Compare payloads: model texts by line, anything else as a whole."""
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if codec.dump({key: old}) == codec.dump({key: new}):
            continue
        if key == "texts" and old and new:
            yield from _of_texts(old, new)
        else:
            yield f"model: its {key}"


def _of_texts(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    if len(before) != len(after):
        yield f"model: {len(before)} texts, and here {len(after)}"
    for number, (old, new) in enumerate(zip(before, after, strict=False)):
        if old != new:
            text = f"text {number}, " if len(before) > 1 else ""
            yield f"model: {text}{_first_line(old, new)}"


def _first_line(before: str, after: str) -> str:
    """Name the first line in which two of LightGBM's texts differ, and its tree."""
    tree = "before the first tree"
    old, new = before.splitlines(), after.splitlines()
    for number, (mine, theirs) in enumerate(zip(old, new, strict=False), 1):
        if mine != theirs:
            return f"{tree}, line {number} ({mine.partition('=')[0][:_SHOWN]})"
        if mine.startswith("Tree="):
            tree = f"tree {mine.removeprefix('Tree=')}"
    return f"{len(old)} lines, and here {len(new)}"


def _differing(before: Sequence[Any], after: Sequence[Any]) -> int:
    same = sum(bool(one == other) for one, other in zip(before, after, strict=False))
    return max(len(before), len(after)) - same


def circumstances(version: Version, key: str) -> tuple[str, ...]:
    """Say what was not as it was when a version was made.

    Args:
        version: that was made then.
        key: the fingerprint that the same settings and rows have here.
    """
    manifest = version.manifest
    then: dict[str, str] = manifest.inputs.get("machine", {})
    now = machine()
    parts = (dict(part.split("=") for part in line.split()) for line in (manifest.fingerprint, key))
    old, new = parts
    lines = [
        *(["code: the sources that training imports"] if old["code"] != new["code"] else []),
        *_of_maps("", {"git commit": manifest.commit}, {"git commit": commit()}),
        *_of_maps("library", manifest.libraries, _installed(manifest.libraries)),
        *_of_maps("", then, {name: now.get(name) for name in then}),
    ]
    if not then and (python := _python_of(version)) != platform.python_version():
        lines.append(f"python: {python}, and here {platform.python_version()}")
    return tuple(lines)


def _of_maps(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield f"{kind} {name}: {_shown(old)}, and here {_shown(new)}".lstrip()


def _installed(names: Mapping[str, str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def _python_of(version: Version) -> str:
    if "python_env.yaml" not in version.manifest.files:
        return platform.python_version()
    first = version.read("python_env.yaml").decode().partition("\n")[0]
    return first.removeprefix("python: ")


def _shown(value: object) -> str:
    if value is None:
        return "none"
    text = str(value)
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]}…"
