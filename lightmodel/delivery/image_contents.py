"""What an image holds: packages of Python and of Debian, and the model; read without running the image."""

import email.parser
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from typing import IO, TYPE_CHECKING, cast

from lightmodel.delivery import engine

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.images import Image

_PACKAGE = re.compile(r".*/(site|dist)-packages/[^/]+\.dist-info/METADATA")
_MODEL = re.compile(r"app/model/(?P<version>[^/]+)/model\.joblib")
_DEBIAN, _SYSTEM = "var/lib/dpkg/status", ("etc/os-release", "usr/lib/os-release")
_BLOCK = 1 << 20


@dataclass
class ImageContents:
    """What an image holds.

    Attributes:
        id: the image's id.
        created: when it was built, in ISO format.
        labels: its labels.
        system: the fields of its os-release file.
        packages: the metadata of each Python package.
        debian: the fields of each Debian package that is installed.
        models: sha256 of model.joblib by version.
    """

    id: str
    created: str
    labels: dict[str, str]
    system: dict[str, str] = field(default_factory=dict)
    packages: list[Message] = field(default_factory=list)
    debian: list[Message] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)


def read_image(client: "DockerClient", image: "Image") -> ImageContents:
    """Read the files of an image from the engine, in one pass."""
    contents = ImageContents(str(image.id), str(image.attrs["Created"]), image.labels)
    with engine.files_of(client, str(image.id)) as container:
        pieces = cast("Iterator[bytes]", container.export(_BLOCK))  # the stubs call it a text
        with tarfile.open(fileobj=_Stream(pieces), mode="r|") as tar:
            for entry in tar:
                if entry.isfile() and (file := tar.extractfile(entry)):
                    _read_file(contents, entry.name.removeprefix("./"), file)
    return contents


def _read_file(contents: ImageContents, name: str, file: IO[bytes]) -> None:
    if _PACKAGE.fullmatch(name):
        contents.packages.append(_fields(file.read()))
    elif model := _MODEL.fullmatch(name):
        contents.models[model["version"]] = hashlib.sha256(file.read()).hexdigest()
    elif name == _DEBIAN:
        packages = map(_fields, file.read().split(b"\n\n"))
        contents.debian = [one for one in packages if str(one["Status"]).endswith(" installed")]
    elif name in _SYSTEM:
        pairs = re.findall(r'^(\w+)="?([^"\n]*)', file.read().decode(), re.MULTILINE)
        contents.system = dict(pairs)


def _fields(data: bytes) -> Message:
    """Return the fields of a package, which are written like those of a message."""
    text = data.decode("utf-8", errors="replace")
    return email.parser.Parser().parsestr(text, headersonly=True)


class _Stream(io.RawIOBase):
    """A file of pieces that come one after the other."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return as many bytes as are asked for, or fewer at the end."""
        pieces, length = [self._rest], len(self._rest)
        while size < 0 or length < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            pieces.append(piece)
            length += len(piece)
        content = b"".join(pieces)
        self._rest = content[size:] if size >= 0 else b""
        return content[:size] if size >= 0 else content
