"""Verdicts on models: what makes one the model that is served."""

import hashlib
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime

from lightmodel.contract.results import Verdict
from lightmodel.errors import ArtefactCorrupt, ArtefactMissing, LightModelError
from lightmodel.files import write_atomic
from lightmodel.store.manifest import Signed, Signer, read_json
from lightmodel.store.versions import Store, Version

logger = logging.getLogger(__name__)

VERDICT, REPORT = "verdict.json", "report.html"


@dataclass(frozen=True)
class StoredVerdict(Signed):
    """A verdict as it lies beside a model.

    Attributes:
        passed: the approval.
        metric: name of the metric that decided.
        value: of the candidate.
        reasons: sentences, failed checks first.
        metrics: of the test rows.
        manifest_sha256: of the manifest that it is about.
        report_sha256: of the report that goes with it, if any.
        created: UTC, in ISO format.
        by: "testing" or "rollback".
        fingerprint: the key to using it again.
    """

    passed: bool
    metric: str
    value: float | None
    reasons: tuple[str, ...]
    manifest_sha256: str
    report_sha256: str | None
    created: str
    by: str
    fingerprint: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict)


def write_verdict(
    version: Version, verdict: Verdict, report: bytes, signer: Signer, **facts: object
) -> StoredVerdict:
    """Write the report, and then the verdict that names it; facts are StoredVerdict's other fields."""
    write_atomic(version.folder / REPORT, report)
    stored = StoredVerdict(
        passed=verdict.passed,
        metric=verdict.metric,
        value=verdict.value,
        reasons=verdict.reasons,
        manifest_sha256=version.manifest.sha256,
        report_sha256=hashlib.sha256(report).hexdigest(),
        created=_now(),
        by="testing",
        **facts,  # type: ignore[arg-type]  # named in the docstring
    )
    return _put(version, stored, signer)


def withdraw(version: Version, verdict: StoredVerdict, signer: Signer) -> StoredVerdict:
    """Replace a verdict by a failing one; nothing is deleted."""
    reasons = ("withdrawn by rollback", *verdict.reasons)
    failing = replace(verdict, passed=False, reasons=reasons, created=_now(), by="rollback")
    return _put(version, failing, signer)


def _put(version: Version, verdict: StoredVerdict, signer: Signer) -> StoredVerdict:
    signed = signer.sign(verdict)
    write_atomic(version.folder / VERDICT, signed.to_json())
    return signed


def _now() -> str:
    return datetime.now(UTC).isoformat()


def read_verdict(version: Version, signer: Signer) -> StoredVerdict | None:
    """Return the verdict on a model; None where nobody tested it.

    Raises:
        ArtefactCorrupt: it is about another manifest, its report is another, or its signature fails.
    """
    try:
        data = (version.folder / VERDICT).read_bytes()
    except FileNotFoundError:
        return None
    verdict = parse_verdict(data, version, signer)
    if verdict.report_sha256 is not None:
        read_report(version, verdict)
    return verdict


def parse_verdict(data: bytes, version: Version, signer: Signer) -> StoredVerdict:
    """Return a verdict on a model from bytes, wherever they lay; its report is not looked at.

    Raises:
        ArtefactCorrupt: it is about another manifest, or its signature fails.
    """
    name = f"{version.name}/{VERDICT}"
    content = read_json(data, name)
    try:
        content["reasons"] = tuple(content["reasons"])
        known = {item.name for item in fields(StoredVerdict)}
        verdict = StoredVerdict(**{key: content[key] for key in content.keys() & known})
    except (KeyError, TypeError) as error:
        raise ArtefactCorrupt(f"{name} lacks parts") from error
    signer.check(verdict, name)
    if verdict.manifest_sha256 != version.manifest.sha256:
        raise ArtefactCorrupt(f"{name} is about another manifest")
    return verdict


def read_report(version: Version, verdict: StoredVerdict) -> bytes:
    """Return the report that a verdict names, read once: exactly the bytes that were checked.

    Raises:
        ArtefactCorrupt: it is gone, or another one.
    """
    try:
        report = (version.folder / REPORT).read_bytes()
    except OSError:
        raise ArtefactCorrupt(f"{version.name}: {REPORT} is gone") from None
    if hashlib.sha256(report).hexdigest() != verdict.report_sha256:
        raise ArtefactCorrupt(
            f"{version.name}: {REPORT} is not the one that its verdict names",
            hint="`python run.py testing --force` writes both anew",
        )
    return report


def newest_approved(store: Store, besides: Collection[str] = ()) -> Version:
    """Return the newest model, `besides` some, whose verdict says passed and whose bytes are its own.

    Raises:
        ArtefactMissing: there is none; the message counts what there is instead.
    """
    _warn_of_strays(store)
    passed_over = {"rejected": 0, "untested": 0, "damaged": 0}
    for version in store.newest_first():
        if version.name in besides:
            continue
        try:
            verdict = read_verdict(version, store.signer)
            if verdict and verdict.passed:
                store.verify(version)
                return version
            passed_over["rejected" if verdict else "untested"] += 1
        except LightModelError as error:
            passed_over["damaged"] += 1
            store.warn_once(version.name, error)
    counts = ", ".join(f"{count} {word}" for word, count in passed_over.items() if count)
    shown = "/".join(store.folder.parts[-2:])  # this message is answered over HTTP too
    raise ArtefactMissing(
        f"there is no approved model in {shown} ({counts or 'it holds none at all'})",
        hint="`python run.py` trains and tests one; `python -m lightmodel models` lists them",
    )


def _warn_of_strays(store: Store) -> None:
    for path in sorted(store.folder.glob("*.joblib")):
        hint = f"python -m lightmodel models adopt {path}"
        note = ArtefactMissing(f"{path.name} lies outside any version and is not served; `{hint}`")
        store.warn_once(path.name, note)
