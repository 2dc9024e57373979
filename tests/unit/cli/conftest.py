"""Commands, called in the test's own process."""

import logging
from collections.abc import Iterator

import pytest

from tests.fakes.command_line import CommandLine


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    """Call commands; what `main` changes in logging is taken back."""
    yield CommandLine(monkeypatch, capsys)
    logging.captureWarnings(capture=False)
