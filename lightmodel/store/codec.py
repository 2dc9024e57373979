"""Serialise models and checkpoints of folds; the only module that unpickles."""

import functools
import hashlib
import importlib
import io
import json
import logging
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

from lightmodel.config.base import RENAMED_MODULES
from lightmodel.contract.results import FoldFit
from lightmodel.errors import ArtefactCorrupt, LightModelError
from lightmodel.files import write_atomic
from lightmodel.store.user_code import user_code_of
from lightmodel.store.versions import Version

MODEL = "model.joblib"
_DIGEST_BYTES = 32
_NUMBERS = "biufc"  # kinds of NumPy's types

logger = logging.getLogger(__name__)


def dump(bundle: dict[str, Any]) -> bytes:
    """Return a pickled bundle; equal content gives equal bytes, whatever the identity of its parts.

    Plain values go through JSON first, and strings and types of numbers are made one object each: a
    pickle refers back to an object that it has seen before, and whether two equal ones are the same
    object depends on where they came from, such as another process.
    """
    plain, other = {}, {}
    for key, value in bundle.items():
        try:
            plain[key] = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            other[key] = value
    canonical = {key: json.loads(text) for key, text in plain.items()}
    buffer = io.BytesIO()
    _canonical_pickler()(buffer, pickle.HIGHEST_PROTOCOL).dump({**canonical, **other})
    return buffer.getvalue()


@functools.cache
def _canonical_pickler() -> type[Any]:
    """Return joblib's pickler, as `dump` describes it; `joblib.load` reads what it writes."""
    # half of what the chain imports, and needed only where a model is read or written
    from joblib.numpy_pickle import NumpyPickler
    from numpy import dtype

    class CanonicalPickler(NumpyPickler):  # type: ignore[misc] # joblib has no types
        def save(self, obj: Any) -> None:  # noqa: ANN401 — anything
            if type(obj) is str:
                obj = sys.intern(obj)
            elif isinstance(obj, dtype) and obj.kind in _NUMBERS:
                obj = dtype(obj.str)
            super().save(obj)

    return CanonicalPickler


def load(version: Version) -> dict[str, Any]:
    """Return a version's bundle, unpickled from exactly the bytes that were hashed.

    The user's own code in the version is executed first: the pickle may refer to its classes.

    Raises:
        ArtefactCorrupt: the bytes do not match the manifest, or cannot be unpickled here.
        ConfigError: the version's own code cannot be executed here.
    """
    user_code_of(version)
    return with_defaults(unpickle(version.read(MODEL), version.name))


def with_defaults(bundle: dict[str, Any]) -> dict[str, Any]:
    """Return a bundle with defaults for the keys that earlier releases did not write."""
    defaults: dict[str, Any] = {
        "learner": bundle.get("runtime"),
        "steps": {"frequency": [], "module": [], "calibration": None},
        "counts": [],
    }
    return {**defaults, **bundle}


def unpickle(data: bytes, name: str) -> dict[str, Any]:
    """Return the bundle in trusted bytes: unpickling runs whatever code they name.

    Raises:
        ArtefactCorrupt: the bytes cannot be unpickled here, or are not a bundle.
    """
    try:
        _alias_renamed_modules(data)
        import joblib

        bundle = joblib.load(io.BytesIO(data))
    except Exception as error:
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        reason = f"{absent} is not installed here" if absent else type(error).__name__
        raise ArtefactCorrupt(
            f"the model of {name} cannot be read: {reason}",
            hint="its requirements.txt lists the library versions that wrote it",
        ) from error
    if not isinstance(bundle, dict) or bundle.get("format") != 1:
        raise ArtefactCorrupt(f"{name} is not a model of this project")
    return bundle


def _alias_renamed_modules(data: bytes) -> None:
    """Let a pickle of an earlier release find modules that were renamed since."""
    for earlier, present in RENAMED_MODULES.items():
        if earlier.encode() in data and earlier not in sys.modules:
            sys.modules[earlier] = importlib.import_module(present)


class FoldCheckpoints:
    """Checkpoints of a training, one file per fold: a sha256, and then the pickled fold."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, fold: int) -> FoldFit | None:
        """Return a finished fold; None if its file is missing, incomplete or damaged."""
        path = self._path(fold)
        try:
            data = path.read_bytes()
            digest, pickled = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
            if hashlib.sha256(pickled).digest() != digest:
                return None
            fold_data = unpickle(pickled, path.name)
        except (OSError, ArtefactCorrupt):
            return None
        logger.info("fold %d is resumed from its checkpoint", fold + 1)
        curve, train_curve = (
            tuple((rounds, loss) for rounds, loss in fold_data.get(name, ()))
            for name in ("curve", "train_curve")
        )
        return FoldFit(
            fold_data["scores"],
            fold_data["rounds"],
            curve,
            fold_data["model"],
            train_curve,
            fold_data.get("diverged", False),
        )

    def save(self, fold: int, fit: FoldFit) -> None:
        """Save a finished fold; a failure is logged, and a later run fits the fold again."""
        pickled = dump(
            {
                "format": 1,
                "scores": fit.scores,
                "rounds": fit.rounds,
                "curve": fit.curve,
                "model": fit.model,
                "train_curve": fit.train_curve,
                "diverged": fit.diverged,
            }
        )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path(fold), hashlib.sha256(pickled).digest() + pickled)
        except (LightModelError, OSError) as error:
            logger.warning("the checkpoint of fold %d cannot be written: %s", fold + 1, error)

    def clear(self) -> None:
        """Remove all checkpoints."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, fold: int) -> Path:
        return self._folder / f"fold-{fold:03d}.bin"
