"""The small commands."""

import logging
from pathlib import Path

import pytest

from lightmodel import errors
from lightmodel.cli import BUG, EXIT_CODES, MEANINGS, exit_code
from lightmodel.cli.docs import pages
from tests.fakes.command_line import CommandLine


def test_a_subclass_without_a_code_of_its_own_is_a_bug() -> None:
    class Unheard(errors.LightModelError):
        """Of no table."""

    assert exit_code(Unheard("what")) == BUG
    assert exit_code(errors.DataError("what")) == 65


def test_the_page_of_errors_names_every_code_and_error() -> None:
    page = pages()[Path("docs", "errors.md")]
    for code, meaning in MEANINGS.items():
        assert f"| {code} | {meaning} |" in page
    for error in EXIT_CODES:
        assert f"| `{error.__name__}` |" in page


def test_docs_writes_into_the_folder_that_it_is_called_in(call: CommandLine) -> None:
    ended = call("docs")
    assert ended.code == 0
    written = [line.removeprefix("written: ") for line in ended.out.splitlines()]
    assert sorted(written) == sorted(map(str, pages()))
    assert all(Path(name).read_text() for name in written)


def test_a_notification_without_a_channel_goes_to_the_log(
    call: CommandLine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert call("notify", "the model drifts", "--body", "in 3 columns").code == 0
    assert "the model drifts" in caplog.text


def test_ranges_are_shown_without_a_study(call: CommandLine) -> None:
    given = "train.parameters={num_leaves = 7}"
    ended = call("tune", "--ranges", "--set", given)
    assert ended.code == 0
    assert "learning_rate" in ended.out
    assert "7 (given in train.parameters)" in ended.out
    assert not Path("model-development").exists()


def test_where_nothing_waits_for_the_tracker_it_is_said(call: CommandLine) -> None:
    for command in ("list", "resend"):
        ended = call("tracking", command, "--set", "tracking.uri=sqlite:///mlflow.db")
        assert (ended.code, ended.out) == (0, "the queue is empty\n")
