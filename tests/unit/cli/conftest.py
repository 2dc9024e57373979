"""Commands are called in the process of the test."""

import logging
from collections.abc import Iterator

import pytest

from tests.fakes.command_line import CommandLine


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    """Call commands, and restore the logging that `main` changes."""
    yield CommandLine(monkeypatch, capsys)
    logging.captureWarnings(capture=False)
