"""What decides on a model's bytes: the key to using one again."""

import hashlib
from pathlib import Path, PurePath
from typing import Any

from lightmodel.config import Config
from lightmodel.pipeline.context import side_file
from lightmodel.pipeline.dependencies import libraries_of, modules_of
from lightmodel.store.fingerprint import fingerprint
from lightmodel.store.own_code import read_source
from lightmodel.store.versions import Version

_NOT_OF_A_MODEL = {"threads", "task", "positive", "retry"}


def model_key(config: Config, split: Version) -> str:
    """Give the fingerprint of the model that these settings make of this split."""
    train = config.train
    inputs, parameters = model_inputs(config, split), model_parameters(config)
    return fingerprint(inputs, parameters, modules_of(train), libraries_of(train))


def model_inputs(config: Config, split: Version) -> dict[str, str]:
    """Give the hashes of what a model is made from.

    Raises:
        ConfigError: train.module cannot be read.
    """
    names = (side_file(split, "train"), "contract.json")
    inputs = {name: split.manifest.files[name].sha256 for name in names}
    if config.train.module:
        inputs["module"] = hashlib.sha256(read_source(Path(config.train.module))).hexdigest()
    return inputs


def model_parameters(config: Config) -> dict[str, Any]:
    """Give the settings that decide on the model's bytes: folds follow the split's method."""
    train = config.train.model_dump(exclude=_NOT_OF_A_MODEL)
    # Its content is an input; the folder that it lies in decides on nothing.
    train["module"] = PurePath(config.train.module).name
    return {
        "train": train,
        "split": config.split.model_dump(include={"method"}),
    }
