"""Verdicts on models: the newest approved one is the model that is served."""

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lightmodel.errors import ArtefactCorrupt, ArtefactMissing, LightModelError
from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.interruption import raise_if_interrupted
from lightmodel.store.manifest import RESTORE, Signed, Signer, read_json
from lightmodel.store.version_files import read_document
from lightmodel.store.versions import Store, Version

if TYPE_CHECKING:
    from lightmodel.contract.results import Verdict

logger = logging.getLogger(__name__)

VERDICT, REPORT = "verdict.json", "report.html"
RETIRED = "retired"
TESTING, ROLLBACK, PROMOTION = "testing", "rollback", "promotion"  # what writes a verdict


@dataclass(frozen=True)
class StoredVerdict(Signed):
    """A verdict as it is stored beside a model.

    Attributes:
        passed: whether the model is approved.
        metric: name of the metric that decided.
        value: the candidate's value of this metric.
        reasons: sentences, failed checks first.
        metrics: metrics on the test rows.
        manifest_sha256: hash of the manifest that the verdict is about.
        report_sha256: hash of the report that belongs to it, if any.
        created: UTC time in ISO format.
        by: what wrote it, "testing", "rollback", or "promotion" of what was withdrawn.
        fingerprint: see `store.provenance`; testing with an equal one is not run again.
        promoted: whether it answers all, and not only the share of a canary: see `store.canary`.
        evaluation: intervals, curves and comparison of the test, see `contract.results.summary`.
        notes: who changed the verdict afterwards, and why: the newest last, each by `Note.to_dict`.
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
    promoted: bool = False
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[Mapping[str, str], ...] = ()

    @property
    def is_withdrawn(self) -> bool:
        """Whether it approved the model until somebody withdrew it."""
        return not self.passed and self.by == ROLLBACK


@dataclass(frozen=True)
class Note:
    """Who changes a verdict after the test, and why; "" where nobody said so."""

    by: str = ""
    why: str = ""

    def to_dict(self, action: str, now: str) -> dict[str, str]:
        """Return it as it is stored, with what was done and when."""
        return {"action": action, "by": self.by, "why": self.why, "created": now}


_NO_NOTE = Note()


def write_verdict(
    version: Version, verdict: "Verdict", report: bytes, signer: Signer, **facts: object
) -> StoredVerdict:
    """Write the report, and then the verdict that names it; `facts` are StoredVerdict's other fields.

    Raises:
        KeyboardInterrupt: Ctrl-C came before, and got lost.
    """
    raise_if_interrupted()
    write_atomic(version.folder / REPORT, report)
    stored = StoredVerdict(
        passed=verdict.passed,
        metric=verdict.metric,
        value=verdict.value,
        reasons=verdict.reasons,
        manifest_sha256=version.manifest.sha256,
        report_sha256=hashlib.sha256(report).hexdigest(),
        created=_now(),
        by=TESTING,
        **facts,  # type: ignore[arg-type]  # named in the docstring
    )
    return _write(version, stored, signer)


def withdraw(
    version: Version,
    verdict: StoredVerdict,
    signer: Signer,
    reason: str = "withdrawn by rollback",
    note: Note = _NO_NOTE,
) -> StoredVerdict:
    """Replace a verdict with a failing one, for this reason; nothing is deleted."""
    now = _now()
    failing = replace(
        verdict,
        passed=False,
        reasons=(reason, *verdict.reasons),
        created=now,
        by=ROLLBACK,
        promoted=False,
        notes=(*verdict.notes, note.to_dict("withdrawn", now)),
    )
    return _write(version, failing, signer)


def promote(
    version: Version, verdict: StoredVerdict, signer: Signer, note: Note = _NO_NOTE
) -> StoredVerdict:
    """Note in the verdict on a model that it answers all, and is a canary no more.

    The verdict on a withdrawn model is again the one before it was withdrawn.
    """
    now = _now()
    if verdict.is_withdrawn:
        verdict = replace(verdict, passed=True, by=PROMOTION, reasons=verdict.reasons[1:])
    notes = (*verdict.notes, note.to_dict("promoted", now))
    return _write(version, replace(verdict, promoted=True, created=now, notes=notes), signer)


def keep_retired(
    store: Store, version: Version, verdict: StoredVerdict, note: Note = _NO_NOTE
) -> None:
    """Keep the verdict on a version that is to be removed, with a note, in the store's folder `retired`."""
    notes = (*verdict.notes, note.to_dict("retired", _now()))
    folder = store.folder / RETIRED
    with translate_os_errors(folder):
        folder.mkdir(exist_ok=True)
    signed = store.signer.sign(replace(verdict, notes=notes))
    write_atomic(folder / f"{version.name}.json", signed.to_json())


def _write(version: Version, verdict: StoredVerdict, signer: Signer) -> StoredVerdict:
    signed = signer.sign(verdict)
    write_atomic(version.folder / VERDICT, signed.to_json())
    return signed


def _now() -> str:
    return datetime.now(UTC).isoformat()


def read_verdict(version: Version, signer: Signer) -> StoredVerdict | None:
    """Return the verdict on a model; None if it was not tested.

    Raises:
        ArtefactCorrupt: it cannot be read, is about another manifest or report, or its signature is wrong.
    """
    try:
        data = read_document(version.folder / VERDICT)
    except FileNotFoundError:
        return None
    verdict = parse_verdict(data, version, signer)
    if verdict.report_sha256 is not None:
        read_report(version, verdict)
    return verdict


def parse_verdict(data: bytes, version: Version, signer: Signer) -> StoredVerdict:
    """Return the verdict on a model from its bytes; the report is not checked.

    Raises:
        ArtefactCorrupt: it is about another manifest, or its signature is wrong.
    """
    name = f"{version.name}/{VERDICT}"
    content = read_json(data, name)
    try:
        content["reasons"] = tuple(content["reasons"])
        content["notes"] = tuple(content.get("notes", ()))
        known = {item.name for item in fields(StoredVerdict)}
        verdict = StoredVerdict(**{key: content[key] for key in content.keys() & known})
    except (KeyError, TypeError) as error:
        raise ArtefactCorrupt(f"{name} lacks fields", hint=RESTORE) from error
    signer.check(verdict, name)
    if verdict.manifest_sha256 != version.manifest.sha256:
        raise ArtefactCorrupt(f"{name} is about another manifest")
    return verdict


def read_report(version: Version, verdict: StoredVerdict) -> bytes:
    """Return the report that a verdict names, read once: exactly the bytes that were checked.

    Raises:
        ArtefactCorrupt: the report is missing, another one, or cannot be read.
    """
    try:
        report = read_document(version.folder / REPORT)
    except (FileNotFoundError, NotADirectoryError):
        raise ArtefactCorrupt(
            f"{version.name}: {REPORT} is missing",
            hint="`python run.py testing --force` writes it again",
        ) from None
    if hashlib.sha256(report).hexdigest() != verdict.report_sha256:
        raise ArtefactCorrupt(
            f"{version.name}: {REPORT} is not the one that its verdict names",
            hint="`python run.py testing --force` writes both again",
        )
    return report


def newest_approved(store: Store, besides: Collection[str] = ()) -> Version:
    """Return the newest model that is approved and undamaged; `besides` names models to skip.

    Raises:
        ArtefactMissing: there is none; the message counts the others, and names the newest damaged file.
        ArtefactCorrupt: the folder cannot be read.
    """
    _warn_about_strays(store)
    skipped = {"rejected": 0, "untested": 0, "damaged": 0, "unfinished": 0}
    reasons: list[LightModelError] = []
    for name in store.names():
        if name in besides:
            continue
        try:
            version = store.open(name)
            verdict = read_verdict(version, store.signer)
            if verdict and verdict.passed:
                store.verify(version)
                return version
            skipped["rejected" if verdict else "untested"] += 1
        except ArtefactMissing as error:
            skipped["unfinished"] += 1
            reasons.append(error)
        except LightModelError as error:
            skipped["damaged"] += 1
            reasons.append(error)
            store.warn_once(name, error)
    raise _none_approved(store, skipped, reasons)


def _none_approved(
    store: Store, skipped: Mapping[str, int], reasons: Sequence[LightModelError]
) -> ArtefactMissing:
    counts = ", ".join(f"{count} {word}" for word, count in skipped.items() if count)
    damaged = [reason for reason in reasons if not isinstance(reason, ArtefactMissing)]
    first = next(iter([*damaged, *reasons]), None)
    shown = "/".join(store.folder.parts[-2:])  # no full path: the service answers with this message
    hint = "`python run.py` trains and tests one"
    return ArtefactMissing(
        f"there is no approved model in {shown} ({counts or 'it holds no models'})"
        + (f": {first.message}" if first else ""),
        hint=f"{first.hint if first and first.hint else hint}; `python -m lightmodel models` lists them",
    )


def _warn_about_strays(store: Store) -> None:
    for path in sorted(store.folder.glob("*.joblib")):
        hint = f"python -m lightmodel models adopt {path}"
        note = ArtefactMissing(f"{path.name} lies outside any version and is not served; `{hint}`")
        store.warn_once(path.name, note)
