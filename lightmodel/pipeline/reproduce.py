"""Run `reproduce`: train a model again from its manifest, and compare the two byte for byte."""

import logging
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightmodel.config import Config, DataSection, SplitSection, TrainSection
from lightmodel.config.base import RENAMED_SETTINGS, redacted
from lightmodel.errors import ArtefactCorrupt, ArtefactMissing, DataError, NotPossible
from lightmodel.pipeline.context import RunContext, split_file
from lightmodel.pipeline.preprocess import make_split
from lightmodel.pipeline.reuse import model_key
from lightmodel.pipeline.train import fit_model
from lightmodel.progress import Progress
from lightmodel.sources.factory import fetch_table
from lightmodel.store import codec
from lightmodel.store.provenance import commit, machine, versions
from lightmodel.store.user_code import FOLDER
from lightmodel.store.versions import Store, Version, models_of, splits_of

logger = logging.getLogger(__name__)

_ROWS_DIFFER = "the training rows: the same table is split into different ones here"
_SHOWN = 40  # characters of a line
_OF_THE_TABLE = frozenset({"contract", "counts"})  # bundle entries with values from the table


@dataclass(frozen=True)
class Reproduced:
    """A model that was trained again, compared with the original.

    Attributes:
        version: of the original.
        sha256: of its model.joblib.
        differences: between the two models; empty if they are the same, byte for byte.
        circumstances: what has changed since the original: code, libraries, machine.
        commit: of the code that made the original.
    """

    version: str
    sha256: str
    differences: tuple[str, ...]
    circumstances: tuple[str, ...]
    commit: str | None


def run_reproduce(config: Config, progress: Progress, name: str, scratch: Path) -> Reproduced:
    """Train a version again, in a temporary store in the empty folder `scratch`.

    `name` may be a unique prefix of the version. Of the settings in force, only the store and those that
    say how the source is reached are used.

    Raises:
        ArtefactMissing: there is no such model here.
        NotPossible: it was not made by the chain, or by a newer light-model.
        DataError: neither its split nor its table is available unchanged.
    """
    models = models_of(config)
    version = _find(models, name)
    models.verify(version)
    settings = settings_of(config, version)
    context = RunContext(_isolated(settings, scratch), progress)
    split = _kept_split(settings, version) or _split_again(settings, context, version)
    if _train_sha256(split) == version.manifest.inputs["train_sha256"]:
        again = context.models.get(fit_model(context, split).name)
        lines = tuple(differences(version, again))
    else:
        lines = (_ROWS_DIFFER,)
    return Reproduced(
        version.name,
        version.manifest.files[codec.MODEL].sha256,
        lines,
        circumstances(version, model_key(settings, split)),
        version.manifest.commit,
    )


def _find(models: Store, name: str) -> Version:
    try:
        return models.get(name)
    except ArtefactMissing as error:
        raise ArtefactMissing(
            error.message, hint=f"`python -m lightmodel models pull {name}` copies it from a mirror"
        ) from None


def settings_of(config: Config, version: Version) -> Config:
    """Return the settings that a model was made with; the store and its mirrors are those in force.

    Raises:
        NotPossible: they are unknown, or this version of light-model does not have them.
    """
    parameters = version.manifest.parameters
    if "train" not in parameters:
        raise NotPossible(f"{version.name} was adopted, so its settings are unknown")
    preprocess: dict[str, Any] = version.manifest.inputs.get("preprocess", {})
    # before there was this setting, sample rows were those of the table
    train = {"sample_rows": "real", **preprocess.get("train", {}), **parameters["train"]}
    if train.get("module"):
        train["module"] = str(version.folder / FOLDER / train["module"])
    try:
        return config.model_copy(
            update={
                "train": TrainSection(**{**train, "threads": config.train.threads}),
                "split": SplitSection(**parameters["split"]),
                "data": _data_section(config.data, version, preprocess.get("data", {})),
            }
        )
    except ValueError as error:
        raise NotPossible(
            f"{version.name} was made with settings that are not known here",
            hint=f"use the code that made it: `git checkout {version.manifest.commit}`",
        ) from error


def _data_section(data: DataSection, version: Version, read: dict[str, Any]) -> DataSection:
    """Return how to fetch and read the table; if data.source names another one, without its mirrors."""
    inputs = version.manifest.inputs
    named = {
        RENAMED_SETTINGS.get(f"data.{key}", key).removeprefix("data."): read[key] for key in read
    }
    known: dict[str, Any] = {**data.model_dump(), **named, "sha256": inputs["sha256"]}
    if redacted(data.source) != inputs["source"]:
        known |= {"source": inputs["source"], "mirrors": ()}
    return DataSection(**known)


def _isolated(settings: Config, scratch: Path) -> Config:
    """Return settings whose store is in `scratch`, so that nothing is written to the real one."""
    store = settings.store.model_copy(update={"root": scratch, "work": scratch / "work"})
    # a compiled model depends on the processor, and is not compared
    train = settings.train.model_copy(update={"compile": "never"})
    return settings.model_copy(update={"store": store, "train": train})


def _kept_split(settings: Config, version: Version) -> Version | None:
    """Return the split that the model was trained on, if it is here and undamaged."""
    splits = splits_of(settings)
    try:
        split = splits.get(str(version.manifest.inputs["split"]))
        splits.verify(split)
    except (ArtefactMissing, ArtefactCorrupt) as error:
        logger.info("the split of %s is made again: %s", version.name, error.message)
        return None
    same = _train_sha256(split) == version.manifest.inputs["train_sha256"]
    return split if same and split.manifest.contract == version.manifest.contract else None


def _split_again(settings: Config, context: RunContext, version: Version) -> Version:
    try:
        fetched = fetch_table(settings, context.progress)
    except DataError as error:
        raise DataError(
            f"the table that {version.name} was made of is not available unchanged: {error.message}",
            hint=f"restore the file with the sha256 {settings.data.sha256}, or the folder "
            f"preprocessed/{version.manifest.inputs['split']}",
        ) from error
    split = make_split(context, fetched, approved=version, key="")
    # read as by the chain: the order of keys counts in a pickle
    return context.splits.get(split.name)


def _train_sha256(split: Version) -> str:
    return split.manifest.files[split_file(split, "train")].sha256


def differences(one: Version, other: Version) -> Iterator[str]:
    """Yield what differs between the model.joblib of two versions; nothing where the bytes are the same."""
    if one.read(codec.MODEL) == other.read(codec.MODEL):
        return
    learners = one.manifest.parameters["learner"], other.manifest.parameters["learner"]
    lines = [*_compare_maps("parameter", *learners)]
    before, after = (_flat(codec.load(version)) for version in (one, other))
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if codec.dump({key: old}) != codec.dump({key: new}):
            lines.extend(_difference(key, old, new))
    yield from lines or ["only the bytes: other library versions pickle equal contents otherwise"]


def _flat(bundle: dict[str, Any]) -> dict[str, Any]:
    """Return a bundle with the parts of its model on one level with the rest."""
    model: Mapping[str, Any] = bundle.pop("model", None) or {}
    return {**bundle, **{f"model: {name}": part for name, part in model.items()}}


def _difference(key: str, old: Any, new: Any) -> Iterator[str]:  # noqa: ANN401 — of a bundle
    if key == "model: texts" and old and new:
        yield from _compare_texts(old, new)
    elif key == "samples":
        old, new = old or (), new or ()
        same = sum(bool(one == other) for one, other in zip(old, new, strict=False))
        yield f"samples: {max(len(old), len(new)) - same} of {len(old)} rows"
    elif key.startswith("model") or key in _OF_THE_TABLE:
        yield key
    else:
        yield f"{key}: {_shown(old)} originally, {_shown(new)} here"


def _compare_texts(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    if len(before) != len(after):
        yield f"model: {len(before)} texts originally, {len(after)} here"
    for number, (old, new) in enumerate(zip(before, after, strict=False)):
        if old != new:
            text = f"text {number}, " if len(before) > 1 else ""
            yield f"model: {text}{_first_line(old, new)}"


def _first_line(before: str, after: str) -> str:
    """Return the first line in which two of LightGBM's texts differ, and its tree."""
    tree = "before the first tree"
    old, new = before.splitlines(), after.splitlines()
    for number, (old_line, new_line) in enumerate(zip(old, new, strict=False), 1):
        if old_line != new_line:
            return f"{tree}, line {number} ({old_line.partition('=')[0][:_SHOWN]})"
        if old_line.startswith("Tree="):
            tree = f"tree {old_line.removeprefix('Tree=')}"
    return f"{len(old)} lines originally, {len(new)} here"


def circumstances(version: Version, key: str) -> tuple[str, ...]:
    """Return what has changed since a version was made.

    `key` is the fingerprint that the same settings and rows have here.
    """
    manifest = version.manifest
    then: dict[str, str] = manifest.inputs.get("machine", {})
    now = machine()
    parts = (dict(part.split("=") for part in line.split()) for line in (manifest.fingerprint, key))
    old, new = parts
    lines = [
        *(["code: the sources that training imports"] if old["code"] != new["code"] else []),
        *_compare_maps("", {"git commit": manifest.commit}, {"git commit": commit()}),
        *_compare_maps("library", manifest.libraries, versions(manifest.libraries)),
        *_compare_maps("", then, {name: now.get(name) for name in then}),
    ]
    if not then and (python := _python_of(version)) != platform.python_version():
        lines.append(f"python: {python} originally, {platform.python_version()} here")
    return tuple(lines)


def _compare_maps(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield f"{kind} {name}: {_shown(old)} originally, {_shown(new)} here".lstrip()


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
