"""Read the files in the folder of a version, and check them against its manifest."""

from pathlib import Path

from lightmodel.errors import ArtefactCorrupt
from lightmodel.files import sha256_of
from lightmodel.store.manifest import FileEntry


def read_document(path: Path) -> bytes:
    """Return the bytes of a manifest, verdict or report.

    Raises:
        FileNotFoundError, NotADirectoryError: it is not there.
        ArtefactCorrupt: it cannot be read.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> ArtefactCorrupt:
    """Return the error for a file or folder of a store that cannot be read."""
    return ArtefactCorrupt(
        f"{'/'.join(path.parts[-2:])} cannot be read: {error.strerror}",
        hint="check who owns it, and its access rights",
    )


def matches_entry(path: Path, entry: FileEntry) -> bool:
    """Return whether a payload is there, and has the size and hash that the manifest states.

    Raises:
        ArtefactCorrupt: it cannot be read.
    """
    try:
        is_whole = path.is_file() and path.stat().st_size == entry.size
        return is_whole and sha256_of(path) == entry.sha256
    except OSError as error:
        raise ArtefactCorrupt(
            f"{path.parent.name}: {path.name} cannot be read: {error.strerror}",
            hint="mend its rights, or restore the folder from a backup",
        ) from None
