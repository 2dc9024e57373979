"""Copies of models elsewhere: sent payloads first and manifest last, and brought back the same way.

A version is in a mirror when its manifest is. Of two verdicts on one version the later one holds, but
for a rollback, which nothing from elsewhere takes back.
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
from lightmodel.store.mirrors import IN_THE_CHAIN_S, Mirror, mirrors_of, named_mirrors
from lightmodel.store.verdict import (
    REPORT,
    VERDICT,
    StoredVerdict,
    parse_verdict,
    read_report,
    read_verdict,
)
from lightmodel.store.versions import MANIFEST, Store, Version, is_version_name, models_of

logger = logging.getLogger(__name__)

_ABOUT_A_REPORT = 1 << 20
_LATER = "`python -m lightmodel models push` sends it later"


@dataclass(frozen=True)
class Pushed:
    """The names of the versions that were sent, and of those whose verdict was."""

    versions: tuple[str, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class Pulled:
    """What a pull did.

    Attributes:
        version: that is here now.
        fetched: False when it was here already.
        verdicts: names of versions here whose verdict was replaced by the mirror's later one.
    """

    version: str
    fetched: bool
    verdicts: tuple[str, ...]


def push(store: Store, mirror: Mirror) -> Pushed:
    """Send every approved version that a mirror lacks, and every verdict that is later than its own.

    What is damaged here is passed over with a warning.

    Raises:
        ConfigError, SourceUnavailable: see `Mirror`; what was sent before stays sent.
    """
    there = mirror.names()
    versions, verdicts = [], []
    for version in store.versions():
        try:
            verdict = read_verdict(version, store.signer)
            if verdict is None:
                continue
            if f"{version.name}/{MANIFEST}" in there:
                if _send_verdict(mirror, version, verdict, store):
                    verdicts.append(version.name)
            elif verdict.passed:
                _send(mirror, version, verdict)
                versions.append(version.name)
        except ArtefactCorrupt as error:
            store.warn_once(version.name, error)
    return Pushed(tuple(versions), tuple(verdicts))


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
    """Replace the mirror's verdict where this one is later; return whether it was.

    A rollback that somebody else sent stays: whoever tested the version since did not know of it.
    """
    try:
        theirs = _verdict_in(mirror, version, store)
    except ArtefactCorrupt as error:
        logger.warning("%s: %s; it is sent anew", mirror.uri, error.message)
    else:
        if not _may_replace(verdict, theirs):
            return False
    _write_verdict(mirror, version, verdict)
    return True


def _write_verdict(mirror: Mirror, version: Version, verdict: StoredVerdict) -> None:
    if verdict.report_sha256 is not None:
        mirror.write(f"{version.name}/{REPORT}", read_report(version, verdict))
    mirror.write(f"{version.name}/{VERDICT}", verdict.to_json())


def pull(store: Store, mirror: Mirror, name: str | None = None) -> Pulled:
    """Bring a version here, by default the newest that is approved; whole, or not at all.

    On the way, versions that are here already get the mirror's verdict where that is the later one.
    Instead of a name its beginning will do where that is unique.

    Raises:
        ArtefactMissing: the mirror has no such version.
        ArtefactCorrupt: what it has is not what was written, or not signed as it must be.
        ConfigError, SourceUnavailable: see `Mirror`.
    """
    replaced: list[str] = []
    for candidate in _names(mirror, name):
        version, theirs = _version_in(mirror, candidate, store)
        mine = _verdict_here(version, store)
        is_later = _may_replace(theirs, mine)
        verdict = theirs if is_later else mine
        here = _is_whole(store, version)
        if here and is_later:
            _take_verdict(mirror, version, theirs)
            replaced.append(candidate)
        if not (name or (verdict and verdict.passed)):
            continue
        if not here:
            _fetch(mirror, version, theirs if is_later else None)
            store.verify(version)
        return Pulled(candidate, not here, tuple(replaced))
    raise ArtefactMissing(
        f"{mirror.uri} holds no approved model",
        hint="`python -m lightmodel models push`, where one was made, sends it",
    )


def _names(mirror: Mirror, wanted: str | None) -> list[str]:
    """Return the names of the versions to look at, newest first."""
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


def _version_in(mirror: Mirror, name: str, store: Store) -> tuple[Version, StoredVerdict]:
    """Return a version as a mirror has it, in the folder where it would lie here, and its verdict."""
    manifest = Manifest.from_json(_read(mirror, f"{name}/{MANIFEST}"), name)
    store.signer.check(manifest, f"{mirror.uri}/{name}/{MANIFEST}")
    if manifest.kind != store.kind:
        raise ArtefactCorrupt(f"{mirror.uri}/{name} is a {manifest.kind}, not a {store.kind}")
    version = Version(name, store.folder / name, manifest)
    return version, _verdict_in(mirror, version, store)


def _verdict_in(mirror: Mirror, version: Version, store: Store) -> StoredVerdict:
    return parse_verdict(_read(mirror, f"{version.name}/{VERDICT}"), version, store.signer)


def _verdict_here(version: Version, store: Store) -> StoredVerdict | None:
    """Return the verdict beside a version here; None where there is none, or no sound one."""
    try:
        return read_verdict(version, store.signer)
    except LightModelError:
        return None


def _may_replace(new: StoredVerdict, old: StoredVerdict | None) -> bool:
    """Return whether one verdict replaces another: the later one does, but only a rollback a rollback."""
    if old is None:
        return True
    return (old.by != "rollback" or new.by == "rollback") and _is_later(new, old)


def _is_later(one: StoredVerdict, other: StoredVerdict) -> bool:
    try:
        return datetime.fromisoformat(one.created) > datetime.fromisoformat(other.created)
    except (TypeError, ValueError) as error:
        raise ArtefactCorrupt("a verdict has no date that can be read") from error


def _is_whole(store: Store, version: Version) -> bool:
    if not (version.folder / MANIFEST).exists():
        return False
    try:
        store.verify(version)
    except ArtefactCorrupt:
        return False
    return True


def _fetch(mirror: Mirror, version: Version, verdict: StoredVerdict | None) -> None:
    """Write a version as it was written first: nobody sees it before its manifest."""
    was_there = (version.folder / MANIFEST).exists()
    try:
        for name, entry in version.manifest.files.items():
            path = version.file(name)
            data = _checked(mirror, f"{version.name}/{name}", entry)
            with translate_os_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data)
        if verdict is not None:
            _take_verdict(mirror, version, verdict)
        write_atomic(version.folder / MANIFEST, version.manifest.to_json())
    except BaseException:
        if not was_there:
            shutil.rmtree(version.folder, ignore_errors=True)
        raise


def _take_verdict(mirror: Mirror, version: Version, verdict: StoredVerdict) -> None:
    if verdict.report_sha256 is not None:
        entry = FileEntry(_ABOUT_A_REPORT, verdict.report_sha256)
        report = _checked(mirror, f"{version.name}/{REPORT}", entry)
        write_atomic(version.folder / REPORT, report)
    write_atomic(version.folder / VERDICT, verdict.to_json())


def _checked(mirror: Mirror, name: str, entry: FileEntry) -> bytes:
    data = _read(mirror, name, entry.size)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise ArtefactCorrupt(
            f"{mirror.uri}/{name} is not what was written", hint=_how_to_repair(mirror, name)
        )
    return data


def _read(mirror: Mirror, name: str, size: int = 0) -> bytes:
    data = mirror.read(name, size)
    if data is None:
        raise ArtefactCorrupt(f"{mirror.uri}/{name} is gone", hint=_how_to_repair(mirror, name))
    return data


def _how_to_repair(mirror: Mirror, name: str) -> str:
    manifest = f"{name.partition('/')[0]}/{MANIFEST}"
    return (
        f"remove {mirror.uri}/{manifest}, and then, where the model was made, "
        "`python -m lightmodel models push`"
    )


def send(config: Config) -> None:
    """Send every mirror what it lacks; one that fails is a warning, for the work itself is done."""
    mirrors = mirrors_of(config, IN_THE_CHAIN_S)
    if not mirrors:
        return
    with ThreadPoolExecutor(len(mirrors), thread_name_prefix="mirror") as pool:
        for _ in pool.map(partial(_push_or_warn, config), mirrors):
            pass


def _push_or_warn(config: Config, mirror: Mirror) -> None:
    try:
        pushed = push(models_of(config), mirror)
    except LightModelError as error:
        logger.warning("not copied: %s; %s", error.message, error.hint or _LATER)
    except Exception as error:  # noqa: BLE001 — whatever a cloud's library raises, the model is made
        logger.warning("not copied to %s: %s; %s", mirror.uri, type(error).__name__, _LATER)
    else:
        for name in (*pushed.versions, *pushed.verdicts):
            logger.info("copied to %s: %s", mirror.uri, name)


def pull_first(config: Config, name: str | None) -> Pulled:
    """Bring a model here from the first mirror that has it.

    Raises:
        LightModelError: none does; the first one's reason.
    """
    failures: list[LightModelError] = []
    for mirror in named_mirrors(config):
        try:
            return pull(models_of(config), mirror, name)
        except LightModelError as error:
            logger.warning("%s", error.message)
            failures.append(error)
    raise failures[0]
