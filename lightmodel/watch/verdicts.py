"""Change the verdict on a model after testing, by hand: one at a time, signed, and made known."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightmodel.config import Config
from lightmodel.errors import ArtefactMissing, ConfigError, ReadOnlyStore
from lightmodel.files import check_writable
from lightmodel.notify.events import Event, Notify, Promoted, RolledBack
from lightmodel.store import admin
from lightmodel.store.admin import RollbackResult
from lightmodel.store.canary import served_versions
from lightmodel.store.lock import run_lock
from lightmodel.store.sync import send
from lightmodel.store.verdict import Note
from lightmodel.store.versions import Store, models_of
from lightmodel.tracking.uploader import sync_aliases
from lightmodel.watch.jobs import reason_text

_NO_NOTE = Note()
_PROBE = ".writable"
_HINT = "change it where models are trained, by `python -m lightmodel models`"


def promote(config: Config, version: str | None, notify: Notify, note: Note = _NO_NOTE) -> str:
    """Let an approved model answer all, by default the newest one; return its name.

    One that is named and was withdrawn is approved again.

    Raises:
        ArtefactMissing, ChangeRefused: see `admin.promote_version`.
        AlreadyRunning, ReadOnlyStore: the store cannot be changed now, or not from here.
    """
    with _changing(config) as store:
        promoted = admin.promote_version(store, version, note, again=version is not None)
    publish_verdict(config, Promoted(promoted, "It was promoted", reason=_said(note)), notify)
    return promoted


def roll_back(
    config: Config,
    version: str | None,
    notify: Notify,
    note: Note = _NO_NOTE,
    *,
    force: bool = False,
) -> RollbackResult:
    """Withdraw a model, by default the served one; nothing is deleted.

    Raises:
        ArtefactMissing, ChangeRefused: see `admin.rollback`.
        AlreadyRunning, ReadOnlyStore: the store cannot be changed now, or not from here.
    """
    reason = " ".join(filter(None, ("withdrawn by rollback", _said(note))))
    with _changing(config) as store:
        result = admin.rollback(store, version, force=force, reason=reason, note=note)
    now = f"{result.served or 'No model'} is served now."
    publish_verdict(config, RolledBack(result.withdrawn, now, reason=_said(note)), notify)
    return result


def retire(config: Config, version: str, note: Note = _NO_NOTE) -> str:
    """Remove a model that is not in use, and return its name; its verdict is kept with the note.

    Raises:
        ArtefactMissing, ChangeRefused: see `admin.retire_version`.
        AlreadyRunning, ReadOnlyStore: the store cannot be changed now, or not from here.
    """
    with _changing(config) as store:
        try:
            stable = served_versions(store, config.serve.canary).stable.name
        except ArtefactMissing:
            stable = ""
        return admin.retire_version(store, version, note, besides=stable)


def note_of(by: str, why: str) -> Note:
    """Return a note with both parts as one line of limited length."""
    return Note(reason_text(by), reason_text(why))


@contextmanager
def _changing(config: Config) -> Iterator[Store]:
    """Lock the store, and yield that of models."""
    store = models_of(config)
    try:
        check_writable(store.folder / _PROBE)
        lock = run_lock(config.store.root)
    except ConfigError as error:
        raise ReadOnlyStore(
            f"the store cannot be changed from here: {error.message}", hint=_HINT
        ) from error
    with lock:
        yield store


def _said(note: Note) -> str:
    """Return who did it, and why, such as "by Ada: it fails for tablets"; "" if nobody said so."""
    return ": ".join(filter(None, (f"by {note.by}" if note.by else "", note.why)))


def publish_verdict(config: Config, event: Event, notify: Notify) -> None:
    """Let MLflow, the mirrors and the receivers know of another verdict."""
    sync_aliases(config)
    send(config)
    notify(event)
