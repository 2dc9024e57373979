"""A version on its way to or from a machine that does not see this machine's stores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.store.manifest import Manifest
from lightmodel.store.versions import MANIFEST, Store, Version


@dataclass(frozen=True)
class SentVersion:
    """A version with some or all of its files.

    Attributes:
        files: name → content, without the manifest.
    """

    name: str
    manifest: Manifest
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, version: Version, names: Iterable[str] = ()) -> "SentVersion":
        """Read files of a version, all if none is named, and check them against its manifest.

        Raises:
            ArtefactCorrupt: a file does not match the manifest.
        """
        files = {name: version.read(name) for name in names or version.manifest.files}
        return cls(version.name, version.manifest, files)

    def write(self, store: Store) -> Version:
        """Write the version into a store, whose signature it gets; its manifest comes last."""
        folder = store.folder / self.name
        for name, data in self.files.items():
            path = folder / name
            with translate_os_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data)
        manifest = store.signer.sign(self.manifest)
        write_atomic(folder / MANIFEST, manifest.to_json())
        return Version(self.name, folder, manifest)
