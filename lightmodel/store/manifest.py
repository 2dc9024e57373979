"""The manifest: what a version holds and was made from. A version exists once it is written.

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

RESTORE = "restore the folder from a backup, or run the chain again"
FORMAT = 1
_OMITTED_IF_EMPTY = frozenset({"learner", "steps", "reason", "promoted", "notes", "evaluation"})


@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and sha256 of one file."""

    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A document stored as JSON; its signature, if any, is an HMAC of all other fields."""

    signature: str | None = None

    def to_json(self, *, signed: bool = True) -> bytes:
        """Return it as JSON, always the same bytes; without `signed`, the bytes that are signed.

        Fields of later releases are omitted if empty: so manifests of earlier releases keep their
        hashes and signatures.
        """
        content = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        content |= {} if signed else {"signature": None}
        return json_bytes(
            {key: value for key, value in content.items() if key not in _OMITTED_IF_EMPTY or value}
        )


@dataclass(frozen=True)
class Manifest(Signed):
    """What a version holds, and how it was made; all values are of JSON types.

    Attributes:
        kind: "split" or "model".
        version: name of the folder.
        created: UTC time in ISO format.
        files: size and hash of every payload, by name.
        inputs: versions and hashes of what the version was made from.
        parameters: the settings that it was made with.
        rows: number of rows of each table.
        metrics: out-of-fold metrics of a model; None where one is undefined.
        fingerprint: see `store.provenance`; a stage with an equal one is not run again.
        contract: the data contract.
        task: kind of the task, and labels.
        threshold: the decision threshold of a binary model.
        runtime: the libraries that serving needs, one of store.provenance.RUNTIMES.
        learner: what fitted the model and loads its payload, such as "lightgbm" or "sklearn"; None
            in manifests of earlier releases: see `learner_name`.
        steps: pre- and postprocessing around the learner: some of "frequency", "module", "calibration".
        libraries: version of each library, by name.
        commit: git commit of the code, if known.
        reason: why the run that made it was started; "" if nobody said so.
        samples: sample rows with their scores, for smoke tests.
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
    reason: str = ""
    samples: tuple[dict[str, Any], ...] = ()
    format: int = FORMAT
    _read_sha256: str = field(default="", init=False, repr=False, compare=False)

    @property
    def learner_name(self) -> str:
        """The name of the learner; of an earlier release's model, that of its runtime."""
        return self.learner or str(self.runtime)

    @property
    def sha256(self) -> str:
        """Hash of the bytes that it was read from, or that `to_json` gives."""
        return self._read_sha256 or hashlib.sha256(self.to_json()).hexdigest()

    @classmethod
    def from_json(cls, data: bytes, name: str) -> "Manifest":
        """Return the manifest of the version `name`.

        Raises:
            ArtefactCorrupt: the bytes are no manifest, or one of another format or version.
        """
        content = read_json(data, f"{name}/manifest.json")
        if content.get("format") != FORMAT:
            raise ArtefactCorrupt(
                f"{name}: its manifest has format {content.get('format')!r}, but must have {FORMAT}",
                hint="use the release of light-model that wrote it, or train again",
            )
        known = {item.name for item in fields(cls) if item.init}
        try:
            content["files"] = {key: FileEntry(**entry) for key, entry in content["files"].items()}
            content["samples"] = tuple(content["samples"])
            content["steps"] = tuple(content.get("steps", ()))
            manifest = cls(**{key: value for key, value in content.items() if key in known})
        except (KeyError, TypeError, AttributeError) as error:
            raise ArtefactCorrupt(
                f"{name}: its manifest lacks fields: {error}", hint=RESTORE
            ) from error
        if manifest.version != name:
            raise ArtefactCorrupt(f"{name}: its manifest belongs to {manifest.version}")
        object.__setattr__(manifest, "_read_sha256", hashlib.sha256(data).hexdigest())
        return manifest


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Return readable, deterministic JSON: sorted, indented, NaN and infinity as null."""
    text = json.dumps(
        _finite_or_null(content), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    return text.encode() + b"\n"


def _finite_or_null(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, FileEntry):
        value = vars(value)
    if isinstance(value, Mapping):
        return {key: _finite_or_null(item) for key, item in value.items()}
    return [_finite_or_null(item) for item in value] if isinstance(value, list | tuple) else value


def read_json(data: bytes, name: str) -> dict[str, Any]:
    """Return a JSON object from its bytes.

    Raises:
        ArtefactCorrupt: the bytes are no JSON object.
    """
    try:
        content = json.loads(data)
    except ValueError as error:
        raise ArtefactCorrupt(f"{name} is not JSON", hint=RESTORE) from error
    if not isinstance(content, dict):
        raise ArtefactCorrupt(f"{name} is not a JSON object", hint=RESTORE)
    return content


_Document = TypeVar("_Document", bound=Signed)


@dataclass(frozen=True)
class Signer:
    """Signs documents and checks signatures with a key; without a key it does neither."""

    key: bytes | None = field(repr=False)

    def sign(self, document: _Document) -> _Document:
        """Return the document with its signature; without a key, unsigned."""
        return replace(document, signature=_hmac(self.key, document) if self.key else None)

    def check(self, document: Signed, name: str) -> None:
        """Check a signature, in constant time.

        Raises:
            ArtefactCorrupt: there is a key, and the signature is missing or wrong.
        """
        if not self.key:
            return
        if not isinstance(document.signature, str):
            raise ArtefactCorrupt(
                f"{name} is not signed", hint="it was made without the signing key"
            )
        if not hmac.compare_digest(_hmac(self.key, document).encode(), document.signature.encode()):
            raise ArtefactCorrupt(f"the signature of {name} is wrong")


def _hmac(key: bytes, document: Signed) -> str:
    return hmac.new(key, document.to_json(signed=False), "sha256").hexdigest()
