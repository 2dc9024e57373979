"""Which stages `run.py` runs, and what it prints without running any."""

import pytest

from lightmodel.cli import MEANINGS
from lightmodel.cli.run import STAGES, chosen_stages
from tests.fakes.command_line import CommandLine


@pytest.mark.parametrize(
    ("stages", "first", "last", "expected"),
    [
        ((), None, None, STAGES),
        (("testing", "preprocess"), None, None, ("preprocess", "testing")),
        ((), "train", None, ("train", "testing")),
        ((), None, "train", ("preprocess", "train")),
        ((), "train", "train", ("train",)),
    ],
)
def test_stages_are_chosen_in_the_chains_order(
    stages: tuple[str, ...], first: str | None, last: str | None, expected: tuple[str, ...]
) -> None:
    assert chosen_stages(stages, first, last) == expected


def test_the_exit_codes_are_shown_with_their_meaning(call: CommandLine) -> None:
    ended = call("run", "--exit-codes")
    assert ended.code == 0
    shown = dict(line.strip().split("  ", 1) for line in ended.out.splitlines())
    assert shown == {str(code): meaning for code, meaning in MEANINGS.items()}


def test_the_settings_are_shown_with_their_origin_and_without_secrets(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTMODEL__SERVE__API_KEYS", "swordfish")
    ended = call("run", "--print-config", "--set", "train.folds=7")
    assert ended.code == 0
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert "folds = 7 # --set train.folds" in lines
    assert "api_keys" in ended.out
    assert "swordfish" not in ended.out


def test_a_dry_run_says_what_would_run_and_changes_nothing(call: CommandLine) -> None:
    ended = call("run", "preprocess", "--dry-run", "--set", "data.source=sklearn://wine")
    assert ended.code == 0
    assert "preprocess" in ended.out
    assert call("models").out.startswith("no model in")
