"""A Docker engine in memory, as far as pushing an image and reading its files go."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from docker.errors import ImageNotFound

CREATED = "2026-11-01T12:00:00.123456789Z"


@dataclass
class Image:
    """An image with the manifest of a model and other files; `attrs` and `labels` are Docker's."""

    manifest: bytes
    labels: dict[str, str]
    attrs: dict[str, Any] = field(
        default_factory=lambda: {"Architecture": "amd64", "Created": CREATED}
    )
    content: str = ""
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"sha256:{hashlib.sha256(self.content.encode() + self.manifest).hexdigest()}"

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.id.encode()).hexdigest()}"

    def tag(self, repository: str, tag: str) -> None:
        pass


@dataclass
class Engine:
    """An engine; it is its own `images` and `containers` too.

    Attributes:
        known: images by name.
        pushed: digests in the registry by tag.
        logins: those with which was pushed or pulled.
        left: containers that killed processes have left.
    """

    known: dict[str, Image] = field(default_factory=dict)
    pushed: dict[str, str] = field(default_factory=dict)
    logins: list[dict[str, str]] = field(default_factory=list)
    left: "list[Container]" = field(default_factory=list)

    @property
    def images(self) -> "Engine":
        return self

    @property
    def containers(self) -> "Engine":
        return self

    def clear(self) -> None:
        """Forget what was pushed."""
        self.pushed.clear()
        self.logins.clear()
        for name in [name for name in self.known if "@" in name]:
            del self.known[name]

    def get(self, name: str) -> Image:
        if name not in self.known:
            raise ImageNotFound(name)
        return self.known[name]

    def push(self, repository: str, tag: str, auth_config: Any, **_: object) -> Iterator[Any]:
        self.logins.append(auth_config)
        (image,) = {
            one.id: one for one in self.known.values() if one.id.startswith(f"sha256:{tag}")
        }.values()
        digest = image.digest
        self.pushed[tag] = digest
        self.known[f"{repository}@{digest}"] = image
        yield {"aux": {"Digest": digest}}

    def pull(self, reference: str, auth_config: dict[str, str]) -> Image:
        self.logins.append(auth_config)
        return self.get(reference)

    def remove(self, *_: object, **__: object) -> None:
        pass

    def list(self, **_: object) -> "list[Container]":
        return self.left

    def create(self, name: str, labels: dict[str, str]) -> "Container":
        assert labels
        by_id = {image.id: image for image in self.known.values()}
        return Container(by_id.get(name) or self.get(name))


@dataclass
class Container:
    """A container that is not run."""

    image: Image
    labels: dict[str, str] = field(default_factory=dict)
    removed: bool = False

    def get_archive(self, path: str) -> tuple[list[bytes], None]:
        assert path == "/app/model"
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            version = json.loads(self.image.manifest)["version"]
            entry = tarfile.TarInfo(f"model/{version}/manifest.json")
            entry.size = len(self.image.manifest)
            tar.addfile(entry, io.BytesIO(self.image.manifest))
        return [archive.getvalue()], None

    def export(self, size: int) -> Iterator[bytes]:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, content in self.image.files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        for start in range(0, len(archive.getvalue()), min(size, 1000)):
            yield archive.getvalue()[start : start + min(size, 1000)]

    def remove(self, **_: object) -> None:
        self.removed = True
