"""Run `reproduce`: train a model again from what its manifest says, and compare the two byte for byte."""

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
from lightmodel.pipeline.preprocess import fetch_table, make_split
from lightmodel.pipeline.reuse import model_key
from lightmodel.pipeline.train import fit_model
from lightmodel.progress import Progress
from lightmodel.store import codec
from lightmodel.store.provenance import commit, machine, versions
from lightmodel.store.user_code import FOLDER
from lightmodel.store.versions import Store, Version, models_of, splits_of

logger = logging.getLogger(__name__)

_ROWS_DIFFER = "the training rows: the same table is split into other ones here"
_SHOWN = 40
_OF_THE_TABLE = frozenset({"contract", "counts"})  # bundle entries with values from the table


@dataclass(frozen=True)
class Reproduced:
    """A model that was trained again, compared with the original.

    Attributes:
        version: of the original.
        sha256: of its model.joblib.
        differences: between the two models; none: they are the same, byte for byte.
        circumstances: what was not as it was then: code, libraries, machine.
        commit: of the code that made the original.
    """

    version: str
    sha256: str
    differences: tuple[str, ...]
    circumstances: tuple[str, ...]
    commit: str | None


def run_reproduce(config: Config, progress: Progress, name: str, scratch: Path) -> Reproduced:
    """Train a version again, in a store of its own in the folder `scratch`, which is empty.

    `name` may be a unique beginning of the version's. Of the settings in force count the store, and how
    the source is reached.

    Raises:
        ArtefactMissing: there is no such model here.
        NotPossible: it was not made by the chain, or by a newer light-model.
        DataError: neither its split nor its table is there as it was.
    """
    models = models_of(config)
    version = _find(models, name)
    models.verify(version)
    settings = settings_of(config, version)
    context = RunContext(_apart(settings, scratch), progress)
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
            error.message, hint=f"`python -m lightmodel models pull {name}` brings it from a mirror"
        ) from None


def settings_of(config: Config, version: Version) -> Config:
    """Return the settings that a model was made with; the store and its mirrors are those in force.

    Raises:
        NotPossible: they are not known, or not here.
    """
    parameters = version.manifest.parameters
    if "train" not in parameters:
        raise NotPossible(f"{version.name} was adopted, and nobody knows how it was made")
    preprocess: dict[str, Any] = version.manifest.inputs.get("preprocess", {})
    train = {**preprocess.get("train", {}), **parameters["train"]}
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
    """Return where the table is and how it was read; without its mirrors where it is another one."""
    inputs = version.manifest.inputs
    named = {
        RENAMED_SETTINGS.get(f"data.{key}", key).removeprefix("data."): read[key] for key in read
    }
    known: dict[str, Any] = {**data.model_dump(), **named, "sha256": inputs["sha256"]}
    if redacted(data.source) != inputs["source"]:
        known |= {"source": inputs["source"], "mirrors": ()}
    return DataSection(**known)


def _apart(settings: Config, scratch: Path) -> Config:
    """Return settings by which nothing that is made comes near the store."""
    store = settings.store.model_copy(update={"root": scratch, "work": scratch / "work"})
    # a compiled form depends on the processor, and is no part of the promise
    train = settings.train.model_copy(update={"compile": "never"})
    return settings.model_copy(update={"store": store, "train": train})


def _kept_split(settings: Config, version: Version) -> Version | None:
    """Return the split that the model was trained on, where it is here and whole."""
    splits = splits_of(settings)
    try:
        split = splits.get(str(version.manifest.inputs["split"]))
        splits.verify(split)
    except (ArtefactMissing, ArtefactCorrupt) as error:
        logger.info("its split is made again: %s", error.message)
        return None
    same = _train_sha256(split) == version.manifest.inputs["train_sha256"]
    return split if same and split.manifest.contract == version.manifest.contract else None


def _split_again(settings: Config, context: RunContext, version: Version) -> Version:
    try:
        fetched = fetch_table(settings, context.progress)
    except DataError as error:
        raise DataError(
            f"the table that {version.name} was made of is not there as it was: {error.message}",
            hint=f"bring back the file with the sha256 {settings.data.sha256}, or the folder "
            f"preprocessed/{version.manifest.inputs['split']}",
        ) from error
    split = make_split(context, fetched, approved=version, key="")
    # as the chain reads it: the order of keys counts in a pickle
    return context.splits.get(split.name)


def _train_sha256(split: Version) -> str:
    return split.manifest.files[split_file(split, "train")].sha256


def differences(one: Version, other: Version) -> Iterator[str]:
    """Yield what differs between the model.joblib of two versions; nothing where the bytes are the same."""
    if one.read(codec.MODEL) == other.read(codec.MODEL):
        return
    learners = one.manifest.parameters["learner"], other.manifest.parameters["learner"]
    lines = [*_of_maps("parameter", *learners)]
    before, after = (_flat(codec.load(version)) for version in (one, other))
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if codec.dump({key: old}) != codec.dump({key: new}):
            lines.extend(_difference(key, old, new))
    yield from lines or ["the bytes, though nothing in them: other versions pickle otherwise"]


def _flat(bundle: dict[str, Any]) -> dict[str, Any]:
    """Return a bundle with the parts of its model on one level with the rest."""
    model: Mapping[str, Any] = bundle.pop("model", None) or {}
    return {**bundle, **{f"model: its {name}": part for name, part in model.items()}}


def _difference(key: str, old: Any, new: Any) -> Iterator[str]:  # noqa: ANN401 — of a bundle
    if key == "model: its texts" and old and new:
        yield from _of_texts(old, new)
    elif key == "samples":
        old, new = old or (), new or ()
        same = sum(bool(one == other) for one, other in zip(old, new, strict=False))
        yield f"samples: {max(len(old), len(new)) - same} of {len(old)} rows"
    elif key.startswith("model") or key in _OF_THE_TABLE:
        yield key
    else:
        yield f"{key}: {_shown(old)}, and here {_shown(new)}"


def _of_texts(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    if len(before) != len(after):
        yield f"model: {len(before)} texts, and here {len(after)}"
    for number, (old, new) in enumerate(zip(before, after, strict=False)):
        if old != new:
            text = f"text {number}, " if len(before) > 1 else ""
            yield f"model: {text}{_first_line(old, new)}"


def _first_line(before: str, after: str) -> str:
    """Return the first line in which two of LightGBM's texts differ, and its tree."""
    tree = "before the first tree"
    old, new = before.splitlines(), after.splitlines()
    for number, (mine, theirs) in enumerate(zip(old, new, strict=False), 1):
        if mine != theirs:
            return f"{tree}, line {number} ({mine.partition('=')[0][:_SHOWN]})"
        if mine.startswith("Tree="):
            tree = f"tree {mine.removeprefix('Tree=')}"
    return f"{len(old)} lines, and here {len(new)}"


def circumstances(version: Version, key: str) -> tuple[str, ...]:
    """Return what was not as it was when a version was made.

    `key` is the fingerprint that the same settings and rows have here.
    """
    manifest = version.manifest
    then: dict[str, str] = manifest.inputs.get("machine", {})
    now = machine()
    parts = (dict(part.split("=") for part in line.split()) for line in (manifest.fingerprint, key))
    old, new = parts
    lines = [
        *(["code: the sources that training imports"] if old["code"] != new["code"] else []),
        *_of_maps("", {"git commit": manifest.commit}, {"git commit": commit()}),
        *_of_maps("library", manifest.libraries, versions(manifest.libraries)),
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
