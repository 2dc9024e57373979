"""Models to bytes and back: the only place that pickles and unpickles."""

import io
import json
import pickle
from typing import Any

import joblib

from lightmodel.errors import ArtefactCorrupt
from lightmodel.store.own_code import own_code_of
from lightmodel.store.versions import Version

MODEL = "model.joblib"


def dump(bundle: dict[str, Any]) -> bytes:
    """Pickle a bundle; equal content gives equal bytes, whatever the identity of its parts.

    Plain values go through JSON first: a pickle refers back to a string that it has seen before, and
    whether two equal strings are one object depends on where they came from.
    """
    plain, other = {}, {}
    for key, value in bundle.items():
        try:
            plain[key] = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            other[key] = value
    canonical = {key: json.loads(text) for key, text in plain.items()}
    buffer = io.BytesIO()
    joblib.dump({**canonical, **other}, buffer, protocol=pickle.HIGHEST_PROTOCOL)
    return buffer.getvalue()


def load(version: Version) -> dict[str, Any]:
    """Unpickle a version's model: the bytes that were hashed are the bytes that are unpickled.

    A user's own code in the version is executed first, for the pickle may name its classes.

    Raises:
        ArtefactCorrupt: they do not match the manifest, or cannot be unpickled here.
        ConfigError: the version's own code cannot be executed here.
    """
    own_code_of(version)
    return complete(unpickle(version.read(MODEL), version.name))


def complete(bundle: dict[str, Any]) -> dict[str, Any]:
    """Give a model's bundle with what earlier light-models did not write."""
    earlier: dict[str, Any] = {
        "learner": bundle.get("runtime"),
        "steps": {"frequency": [], "module": [], "calibration": None},
        "counts": [],
    }
    return {**earlier, **bundle}


def unpickle(data: bytes, name: str) -> dict[str, Any]:
    """Unpickle bytes that somebody vouches for: unpickling runs whatever code they name.

    Raises:
        ArtefactCorrupt: they cannot be unpickled here, or are no bundle.
    """
    try:
        bundle = joblib.load(io.BytesIO(data))
    except Exception as error:
        raise ArtefactCorrupt(
            f"{name}: its model cannot be read: {type(error).__name__}",
            hint="its requirements.txt says which library versions wrote it",
        ) from error
    if not isinstance(bundle, dict) or bundle.get("format") != 1:
        raise ArtefactCorrupt(f"{name} is not a model of this project")
    return bundle
