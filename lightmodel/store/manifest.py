"""The manifest: what a version holds and what it was made of. Its presence makes the version real.

Manifests and verdicts may be signed.
"""

import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from lightmodel.errors import ArtefactCorrupt

FORMAT = 1
_LATER = frozenset({"learner", "steps"})


@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and sha256 of one file."""

    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Signed:
    """What is stored as JSON; its signature is an HMAC of all the rest, where signing is on."""

    signature: str | None = None

    def to_json(self, *, signed: bool = True) -> bytes:
        """Return it as JSON, the same bytes each time; unsigned is what a signature is made of.

        Later fields are left out where they are empty: earlier manifests have none of them, and keep
        their hashes and signatures.
        """
        content = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        content |= {} if signed else {"signature": None}
        return json_bytes(
            {key: value for key, value in content.items() if key not in _LATER or value}
        )


@dataclass(frozen=True)
class Manifest(Signed):
    """See the fields; everything is in JSON's types.

    Attributes:
        kind: "split" or "model".
        version: name of the folder.
        created: UTC, in ISO format.
        files: every payload, by name.
        inputs: versions and hashes of what it was made from.
        parameters: that it was made with.
        rows: of each table.
        metrics: out-of-fold ones of a model; None where one is undefined.
        fingerprint: the key to using it again.
        contract: of the data.
        task: kind and labels.
        threshold: of the decision (binary).
        runtime: which libraries serving needs: one of store.provenance.RUNTIMES.
        learner: what made the model, and opens its payload: such as "lightgbm" or "sklearn"; None:
            the name of the runtime, as it was before there were more of them.
        steps: what stands around it: some of "frequency", "module", "calibration".
        libraries: name → version.
        commit: of the code, where git knows it.
        samples: rows with their scores, for self-tests.
    """

    kind: str
    version: str
    created: str
    files: Mapping[str, FileEntry]
    inputs: Mapping[str, Any]
    parameters: Mapping[str, Any]
    rows: Mapping[str, int]
    fingerprint: str
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    contract: dict[str, Any] | None = None
    task: dict[str, Any] | None = None
    threshold: float | None = None
    runtime: str | None = None
    learner: str | None = None
    steps: tuple[str, ...] = ()
    libraries: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None
    samples: tuple[dict[str, Any], ...] = ()
    format: int = FORMAT
    _read_sha256: str = field(default="", init=False, repr=False, compare=False)

    @property
    def made_by(self) -> str:
        """The learner, whether the manifest names it or not."""
        return self.learner or str(self.runtime)

    @property
    def sha256(self) -> str:
        """Hash of the bytes that it was read from, or that `to_json` gives."""
        return self._read_sha256 or hashlib.sha256(self.to_json()).hexdigest()

    @classmethod
    def from_json(cls, data: bytes, name: str) -> "Manifest":
        """Return the manifest of the version `name`.

        Raises:
            ArtefactCorrupt: it is no manifest, or one of another format or version.
        """
        content = read_json(data, f"{name}/manifest.json")
        if content.get("format") != FORMAT:
            raise ArtefactCorrupt(
                f"{name}: its manifest has format {content.get('format')!r}, and this is {FORMAT}",
                hint="use the light-model that wrote it, or train anew",
            )
        known = {item.name for item in fields(cls) if item.init}
        try:
            content["files"] = {key: FileEntry(**entry) for key, entry in content["files"].items()}
            content["samples"] = tuple(content["samples"])
            content["steps"] = tuple(content.get("steps", ()))
            manifest = cls(**{key: value for key, value in content.items() if key in known})
        except (KeyError, TypeError, AttributeError) as error:
            raise ArtefactCorrupt(f"{name}: its manifest lacks parts: {error}") from error
        if manifest.version != name:
            raise ArtefactCorrupt(f"{name}: its manifest is of {manifest.version}")
        object.__setattr__(manifest, "_read_sha256", hashlib.sha256(data).hexdigest())
        return manifest


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Return JSON for people and hashes alike: sorted, indented, undefined numbers as null."""
    text = json.dumps(
        _defined(content), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    return text.encode() + b"\n"


def _defined(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, FileEntry):
        value = vars(value)
    if isinstance(value, Mapping):
        return {key: _defined(item) for key, item in value.items()}
    return [_defined(item) for item in value] if isinstance(value, list | tuple) else value


def read_json(data: bytes, name: str) -> dict[str, Any]:
    """Return a JSON object from its bytes.

    Raises:
        ArtefactCorrupt: it is none.
    """
    try:
        content = json.loads(data)
    except ValueError as error:
        raise ArtefactCorrupt(f"{name} is not JSON") from error
    if not isinstance(content, dict):
        raise ArtefactCorrupt(f"{name} is not a JSON object")
    return content


_Document = TypeVar("_Document", bound=Signed)


@dataclass(frozen=True)
class Signer:
    """Signs with a key, and then refuses what is not signed with it; without a key it does neither."""

    key: bytes | None = field(repr=False)

    def sign(self, document: _Document) -> _Document:
        """Return a document with its signature, or with none without a key."""
        return replace(document, signature=_hmac(self.key, document) if self.key else None)

    def check(self, document: Signed, name: str) -> None:
        """Check a signature, in constant time.

        Raises:
            ArtefactCorrupt: there is a key, and the signature is absent or another.
        """
        if not self.key:
            return
        if not isinstance(document.signature, str):
            raise ArtefactCorrupt(
                f"{name} is not signed", hint="it was made without the signing key"
            )
        if not hmac.compare_digest(_hmac(self.key, document).encode(), document.signature.encode()):
            raise ArtefactCorrupt(f"the signature of {name} does not hold")


def _hmac(key: bytes, document: Signed) -> str:
    return hmac.new(key, document.to_json(signed=False), "sha256").hexdigest()
