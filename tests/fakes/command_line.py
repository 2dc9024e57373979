"""The command line, called in the process of the test."""

import sys
from dataclasses import dataclass

import pytest

from lightmodel.cli import main


@dataclass(frozen=True)
class Called:
    """What a command printed, and the exit code of the process that it would have ended."""

    code: int
    out: str
    err: str


class CommandLine:
    """Calls `python -m lightmodel …` without a process of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str) -> Called:
        self._monkeypatch.setattr(sys, "argv", ["lightmodel", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        return Called(int(ended.value.code or 0), printed.out, printed.err)
