"""Push models to mirrors, and pull them from there: payloads first, the manifest last.

A version is in a mirror once its manifest is. Of two verdicts on one version the later one counts, but
no test supersedes a rollback: another rollback does, or a promotion.
"""

import hashlib
import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from lightmodel.config import Config
from lightmodel.errors import ArtefactCorrupt, ArtefactMissing, LightModelError
from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.store.manifest import FileEntry, Manifest
from lightmodel.store.mirrors import CHAIN_TIMEOUT_S, Mirror, mirrors_of, required_mirrors
from lightmodel.store.verdict import (
    PROMOTION,
    REPORT,
    ROLLBACK,
    VERDICT,
    StoredVerdict,
    parse_verdict,
    read_report,
    read_verdict,
)
from lightmodel.store.version_names import is_version_name
from lightmodel.store.versions import MANIFEST, Store, Version, models_of

logger = logging.getLogger(__name__)

_REPORT_BYTES = 1 << 20  # about; it sets the time limit
_HINT = "`python -m lightmodel models push` sends it later"


@dataclass(frozen=True)
class PushResult:
    """Names of the versions that were sent, and of those whose verdict was."""

    versions: tuple[str, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class PullResult:
    """What a pull did.

    Attributes:
        version: name of the version that is now in the local store.
        fetched: False if it was in the local store already.
        verdicts: names of local versions whose verdict was replaced by the mirror's later one.
    """

    version: str
    fetched: bool
    verdicts: tuple[str, ...]


def push(store: Store, mirror: Mirror) -> PushResult:
    """Send a mirror the approved versions that it lacks, and verdicts later than its own.

    Damaged local versions are skipped with a warning.

    Raises:
        ConfigError, SourceUnavailable: see `Mirror`; what was sent before the error stays in the mirror.
    """
    mirrored = mirror.names()
    versions, verdicts = [], []
    for version in store.versions():
        try:
            verdict = read_verdict(version, store.signer)
            if verdict is None:
                continue
            if f"{version.name}/{MANIFEST}" in mirrored:
                if _send_verdict(mirror, version, verdict, store):
                    verdicts.append(version.name)
            elif verdict.passed:
                _send(mirror, version, verdict)
                versions.append(version.name)
        except ArtefactCorrupt as error:
            store.warn_once(version.name, error)
    return PushResult(tuple(versions), tuple(verdicts))


def _send(mirror: Mirror, version: Version, verdict: StoredVerdict) -> None:
    for name in version.manifest.files:
        mirror.write(f"{version.name}/{name}", version.read(name))
    _write_verdict(mirror, version, verdict)
    try:
        manifest = (version.folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise ArtefactCorrupt(f"{version.name} was retired while it was sent") from None
    mirror.write(f"{version.name}/{MANIFEST}", manifest)


def _send_verdict(mirror: Mirror, version: Version, verdict: StoredVerdict, store: Store) -> bool:
    """Replace the mirror's verdict if this one supersedes it; return whether it did.

    A rollback by somebody else stays: whoever tested the version since did not know of it.
    """
    try:
        remote = _remote_verdict(mirror, version, store)
    except ArtefactCorrupt as error:
        logger.warning("%s: %s; the verdict is sent again", mirror.uri, error.message)
    else:
        if not _supersedes(verdict, remote):
            return False
    _write_verdict(mirror, version, verdict)
    return True


def _write_verdict(mirror: Mirror, version: Version, verdict: StoredVerdict) -> None:
    if verdict.report_sha256 is not None:
        mirror.write(f"{version.name}/{REPORT}", read_report(version, verdict))
    mirror.write(f"{version.name}/{VERDICT}", verdict.to_json())


def pull(store: Store, mirror: Mirror, name: str | None = None) -> PullResult:
    """Download a version, by default the newest approved one; whole, or not at all.

    Local versions on the way get the mirror's verdict where that supersedes theirs. A unique
    beginning of the name is enough.

    Raises:
        ArtefactMissing: the mirror has no such version.
        ArtefactCorrupt: a file does not match its hash, or a signature is missing or wrong.
        ConfigError, SourceUnavailable: see `Mirror`.
    """
    replaced: list[str] = []
    for candidate in _names(mirror, name):
        version, remote = _remote_version(mirror, candidate, store)
        local = _local_verdict(version, store)
        superseded = _supersedes(remote, local)
        verdict = remote if superseded else local
        is_local = _is_whole(store, version)
        if is_local and superseded:
            _fetch_verdict(mirror, version, remote)
            replaced.append(candidate)
        if not (name or (verdict and verdict.passed)):
            continue
        if not is_local:
            _fetch(mirror, version, remote if superseded else None)
            store.verify(version)
        return PullResult(candidate, not is_local, tuple(replaced))
    raise ArtefactMissing(
        f"{mirror.uri} holds no approved model",
        hint="run `python -m lightmodel models push` where a model was trained",
    )


def _names(mirror: Mirror, wanted: str | None) -> list[str]:
    """Return the names of the versions to consider, newest first."""
    parts = [name.rpartition("/") for name in mirror.names()]
    names = (folder for folder, _, file in parts if file == MANIFEST and is_version_name(folder))
    newest_first = sorted(names, reverse=True)
    if wanted is None:
        return newest_first
    matches = [name for name in newest_first if name.startswith(wanted)]
    if len(matches) == 1 and wanted:
        return matches
    known = ", ".join((matches or newest_first)[:3]) or "it holds none"
    raise ArtefactMissing(
        f"{mirror.uri}: {len(matches)} models begin with {wanted!r}; known: {known}"
    )


def _remote_version(mirror: Mirror, name: str, store: Store) -> tuple[Version, StoredVerdict]:
    """Return a mirror's version, with its future local folder, and its verdict."""
    manifest = Manifest.from_json(_read(mirror, f"{name}/{MANIFEST}"), name)
    store.signer.check(manifest, f"{mirror.uri}/{name}/{MANIFEST}")
    if manifest.kind != store.kind:
        raise ArtefactCorrupt(f"{mirror.uri}/{name} is a {manifest.kind}, not a {store.kind}")
    version = Version(name, store.folder / name, manifest)
    return version, _remote_verdict(mirror, version, store)


def _remote_verdict(mirror: Mirror, version: Version, store: Store) -> StoredVerdict:
    return parse_verdict(_read(mirror, f"{version.name}/{VERDICT}"), version, store.signer)


def _local_verdict(version: Version, store: Store) -> StoredVerdict | None:
    """Return the local verdict on a version; None if it is missing or damaged."""
    try:
        return read_verdict(version, store.signer)
    except LightModelError:
        return None


def _supersedes(new: StoredVerdict, old: StoredVerdict | None) -> bool:
    """Return whether `new` replaces `old`: a later one does, but a rollback no test replaces."""
    if old is None:
        return True
    return (old.by != ROLLBACK or new.by in {ROLLBACK, PROMOTION}) and _is_later(new, old)


def _is_later(one: StoredVerdict, other: StoredVerdict) -> bool:
    try:
        return datetime.fromisoformat(one.created) > datetime.fromisoformat(other.created)
    except (TypeError, ValueError) as error:
        raise ArtefactCorrupt("a verdict has no readable date") from error


def _is_whole(store: Store, version: Version) -> bool:
    if not (version.folder / MANIFEST).exists():
        return False
    try:
        store.verify(version)
    except ArtefactCorrupt:
        return False
    return True


def _fetch(mirror: Mirror, version: Version, verdict: StoredVerdict | None) -> None:
    """Download a version, its manifest last: no reader sees it before."""
    existed = (version.folder / MANIFEST).exists()
    try:
        for name, entry in version.manifest.files.items():
            path = version.file(name)
            data = _read_checked(mirror, f"{version.name}/{name}", entry)
            with translate_os_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data)
        if verdict is not None:
            _fetch_verdict(mirror, version, verdict)
        write_atomic(version.folder / MANIFEST, version.manifest.to_json())
    except BaseException:
        if not existed:
            shutil.rmtree(version.folder, ignore_errors=True)
        raise


def _fetch_verdict(mirror: Mirror, version: Version, verdict: StoredVerdict) -> None:
    if verdict.report_sha256 is not None:
        entry = FileEntry(_REPORT_BYTES, verdict.report_sha256)
        report = _read_checked(mirror, f"{version.name}/{REPORT}", entry)
        write_atomic(version.folder / REPORT, report)
    write_atomic(version.folder / VERDICT, verdict.to_json())


def _read_checked(mirror: Mirror, name: str, entry: FileEntry) -> bytes:
    data = _read(mirror, name, entry.size)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise ArtefactCorrupt(
            f"{mirror.uri}/{name} does not match its hash", hint=_how_to_repair(mirror, name)
        )
    return data


def _read(mirror: Mirror, name: str, size: int = 0) -> bytes:
    data = mirror.read(name, size)
    if data is None:
        raise ArtefactCorrupt(f"{mirror.uri}/{name} is missing", hint=_how_to_repair(mirror, name))
    return data


def _how_to_repair(mirror: Mirror, name: str) -> str:
    manifest = f"{name.partition('/')[0]}/{MANIFEST}"
    return (
        f"remove {mirror.uri}/{manifest}, and then run `python -m lightmodel models push` where the "
        "model was trained"
    )


def send(config: Config) -> None:
    """Send every mirror what it lacks; a mirror that fails is only a warning."""
    mirrors = mirrors_of(config, CHAIN_TIMEOUT_S)
    if not mirrors:
        return
    with ThreadPoolExecutor(len(mirrors), thread_name_prefix="mirror") as pool:
        for _ in pool.map(partial(_push_or_warn, config), mirrors):
            pass


def _push_or_warn(config: Config, mirror: Mirror) -> None:
    try:
        pushed = push(models_of(config), mirror)
    except LightModelError as error:
        logger.warning("models not copied: %s; %s", error.message, error.hint or _HINT)
    except Exception as error:  # noqa: BLE001 — the model is published, whatever a cloud's library raises
        logger.warning("models not copied to %s: %s; %s", mirror.uri, type(error).__name__, _HINT)
    else:
        for name in (*pushed.versions, *pushed.verdicts):
            logger.info("copied to %s: %s", mirror.uri, name)


def pull_first(config: Config, name: str | None) -> PullResult:
    """Download a model from the first mirror that has it.

    Raises:
        LightModelError: none has it; the error is that of the first mirror.
    """
    failures: list[LightModelError] = []
    for mirror in required_mirrors(config):
        try:
            return pull(models_of(config), mirror, name)
        except LightModelError as error:
            logger.warning("%s", error.message)
            failures.append(error)
    raise failures[0]
