"""What decides on a model's bytes: the key to using one again."""

from typing import Any

from lightmodel.artefacts.fingerprint import fingerprint
from lightmodel.artefacts.store import Version
from lightmodel.chain.workshop import side_file
from lightmodel.config import Config

MODULES = ("lightmodel.stages.train", "lightmodel.artefacts.codec")
LEARNERS = {
    "lightgbm": ("lightmodel.adapters.learners.lightgbm", "lightmodel.adapters.compilers.files"),
    "sklearn": ("lightmodel.adapters.learners.sklearn",),
    "blend": (
        "lightmodel.adapters.learners.blend",
        "lightmodel.adapters.learners.lightgbm",
        "lightmodel.adapters.learners.sklearn",
    ),
}
LIBRARIES = {
    "lightgbm": ("joblib", "lightgbm", "numpy", "pyarrow", "scipy"),
    "sklearn": ("joblib", "numpy", "pyarrow", "scikit-learn", "scipy"),
    "blend": ("joblib", "lightgbm", "numpy", "pyarrow", "scikit-learn", "scipy"),
}
_NOT_OF_A_MODEL = {"threads", "task", "positive", "retry"}


def model_key(config: Config, split: Version) -> str:
    """Give the fingerprint of the model that these settings make of this split."""
    learner = config.train.estimator if config.train.estimator in LEARNERS else "sklearn"
    read = (side_file(split, "train"), "contract.json")
    inputs = {name: split.manifest.files[name].sha256 for name in read}
    modules = (*MODULES, *LEARNERS[learner])
    return fingerprint(inputs, model_parameters(config), modules, LIBRARIES[learner])


def model_parameters(config: Config) -> dict[str, Any]:
    """Give the settings that decide on the model's bytes: folds follow the split's method."""
    return {
        "train": config.train.model_dump(exclude=_NOT_OF_A_MODEL),
        "split": config.split.model_dump(include={"method"}),
    }
