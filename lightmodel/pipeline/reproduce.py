"""Train a model again from what its manifest says, and compare the two byte for byte."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightmodel.config import Config, DataSection, SplitSection, TrainSection
from lightmodel.config.redact import redacted
from lightmodel.errors import (
    ArtefactCorrupt,
    ArtefactMissing,
    DataError,
    NotPossible,
)
from lightmodel.pipeline.context import Reuse, Workshop, side_file
from lightmodel.pipeline.differences import circumstances, differences
from lightmodel.pipeline.preprocess import make_split
from lightmodel.pipeline.reuse import model_key
from lightmodel.pipeline.train import train_or_reuse
from lightmodel.store import codec
from lightmodel.store.checkpoints import FoldCheckpoints
from lightmodel.store.own_code import FOLDER
from lightmodel.store.versions import Store, Version

logger = logging.getLogger(__name__)

_ROWS_DIFFER = "the training rows: the same table is split into other ones here"


@dataclass(frozen=True)
class Reproduced:
    """What came of training a model again.

    Attributes:
        version: that was to be made again.
        sha256: of its model.joblib.
        differences: between the two models; none: they are the same, byte for byte.
        circumstances: what was not as it was then: code, libraries, machine.
        commit: of the code that made it.
    """

    version: str
    sha256: str
    differences: tuple[str, ...]
    circumstances: tuple[str, ...]
    commit: str | None


def run_reproduce(
    open_workshop: Callable[[Config], Workshop], config: Config, name: str, scratch: Path
) -> Reproduced:
    """Train a version again, in a store of its own.

    Args:
        open_workshop: gives what works by other settings.
        config: in force; of it count the store, and how the source is reached.
        name: of the version, or a unique beginning of it.
        scratch: empty folder for what is made.

    Raises:
        ArtefactMissing: there is no such model here.
        NotPossible: it was not made by the chain, or by a newer light-model.
        DataError: neither its split nor its table is there as it was.
    """
    models = open_workshop(config).models
    version = _find(models, name)
    models.verify(version)
    settings = settings_of(config, version)
    made = open_workshop(settings)
    split = _kept_split(made, version)
    made = _apart(made, scratch)
    split = split or _split_again(made, version)
    sha256 = version.manifest.files[codec.MODEL].sha256
    here = circumstances(version, model_key(settings, split))
    if _train_sha256(split) != version.manifest.inputs["train_sha256"]:
        return Reproduced(version.name, sha256, (_ROWS_DIFFER,), here, version.manifest.commit)
    outcome = train_or_reuse(made, split, Reuse(None, "reproduced"))
    again = made.models.get(outcome.version)
    found = tuple(differences(version, again))
    return Reproduced(version.name, sha256, found, here, version.manifest.commit)


def _find(models: Store, name: str) -> Version:
    try:
        return models.get(name)
    except ArtefactMissing as error:
        raise ArtefactMissing(
            error.message, hint=f"`python -m lightmodel models pull {name}` brings it from a mirror"
        ) from None


def settings_of(config: Config, version: Version) -> Config:
    """Give the settings that a model was made with; the store and its mirrors are those in force.

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
    """Give where the table is and how it was read; without its mirrors where it is another one."""
    inputs = version.manifest.inputs
    known: dict[str, Any] = {**data.model_dump(), **read, "sha256": inputs["sha256"]}
    if redacted(data.source) != inputs["source"]:
        known |= {"source": inputs["source"], "mirrors": ()}
    return DataSection(**known)


def _kept_split(workshop: Workshop, version: Version) -> Version | None:
    """Give the split that the model was trained on, where it is here and whole."""
    try:
        split = workshop.splits.get(str(version.manifest.inputs["split"]))
        workshop.splits.verify(split)
    except (ArtefactMissing, ArtefactCorrupt) as error:
        logger.info("its split is made again: %s", error.message)
        return None
    same = _train_sha256(split) == version.manifest.inputs["train_sha256"]
    return split if same and split.manifest.contract == version.manifest.contract else None


def _apart(workshop: Workshop, scratch: Path) -> Workshop:
    """Let nothing that is made come near the store."""
    signer = workshop.signer
    return replace(
        workshop,
        models=Store(scratch / "model", "model", signer),
        splits=Store(scratch / "preprocessed", "split", signer),
        checkpoints=lambda _: FoldCheckpoints(scratch / "checkpoints"),
        compiled=lambda *_: {},  # depends on the processor, and is no part of the promise
        mirror=lambda: None,
    )


def _split_again(workshop: Workshop, version: Version) -> Version:
    try:
        fetched = workshop.fetch()
    except DataError as error:
        raise DataError(
            f"the table that {version.name} was made of is not there as it was: {error.message}",
            hint=f"bring back the file with the sha256 {workshop.config.data.sha256}, or the folder "
            f"preprocessed/{version.manifest.inputs['split']}",
        ) from error
    split = make_split(workshop, fetched, approved=version, key="")
    return workshop.splits.get(
        split.name
    )  # as the chain reads it: the order of keys counts in a pickle


def _train_sha256(split: Version) -> str:
    return split.manifest.files[side_file(split, "train")].sha256
