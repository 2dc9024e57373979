"""A stand-in for apprise, for tests that need none of its protocols: it writes messages into a file."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.project import ROOT

_MODULE = """
import json
from pathlib import Path

HERE = Path(__file__).parent


class Apprise:
    def __init__(self):
        self.url = ""

    def add(self, url):
        self.url = url if "://" in url else ""
        return bool(self.url)

    def notify(self, body, title, timeout):
        with (HERE / "tries").open("a") as tries:
            tries.write(title + "\\n")
        if (HERE / "down").exists():
            return False
        with (HERE / "inbox").open("a") as inbox:
            inbox.write(json.dumps([self.url, title]) + "\\n")
        return True
"""


@dataclass(frozen=True)
class Receivers:
    """The receivers behind all URLs: those whose module `apprise` lies in this folder."""

    folder: Path

    @classmethod
    def in_folder(cls, folder: Path) -> "Receivers":
        """Write the module `apprise` into a new folder, for PYTHONPATH."""
        folder.mkdir()
        (folder / "apprise.py").write_text(_MODULE, encoding="utf-8")
        return cls(folder)

    @property
    def python_path(self) -> str:
        """The value of PYTHONPATH with which a process finds the module."""
        return os.pathsep.join([str(ROOT), str(self.folder)])

    def go_down(self) -> None:
        """Accept nothing from now on."""
        (self.folder / "down").touch()

    def come_up(self) -> None:
        """Accept everything from now on."""
        (self.folder / "down").unlink()

    @property
    def tries(self) -> list[str]:
        """The titles of all messages so far, accepted or not, in their order."""
        return self._lines("tries")

    @property
    def inbox(self) -> list[tuple[str, str]]:
        """URL and title of the messages that were accepted, in their order."""
        return [(url, title) for url, title in map(json.loads, self._lines("inbox"))]

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
