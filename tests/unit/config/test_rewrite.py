"""Only the given values of a settings file are changed."""

from pathlib import Path

import pytest

from lightmodel.config import load
from lightmodel.config.rewrite import rewrite
from lightmodel.errors import ConfigError

FILE = Path("config.toml")
BEFORE = """# my table
[data]
target = "price"  # in euros

[train]
# how many
folds = 4
estimator = "lightgbm"

[gate]
bootstrap = 7
"""
BLEND = {
    "members": [
        {"estimator": "lightgbm", "parameters": {}},
        {"estimator": "a.B", "parameters": {"sizes": [3, 2], "on": True}},
    ],
    "weights": [0.25, 0.75],
}


def test_comments_and_order_are_kept() -> None:
    FILE.write_text(BEFORE, encoding="utf-8")
    rewrite(FILE, {"estimator": "a.B"})
    assert FILE.read_text(encoding="utf-8") == BEFORE.replace('"lightgbm"', '"a.B"')


def test_a_new_key_is_added_at_the_end_of_its_section() -> None:
    FILE.write_text(BEFORE, encoding="utf-8")
    rewrite(FILE, {"parameters": {"alpha": 0.5}})
    lines = FILE.read_text(encoding="utf-8").splitlines()
    assert lines[lines.index('estimator = "lightgbm"') + 1] == "parameters = {alpha = 0.5}"
    assert load(FILE).config.gate.bootstrap == 7


@pytest.mark.parametrize(
    "before",
    ["", "[data]\ntarget = 'x'", "train.folds = 3\n", "[train.parameters]\nnum_leaves = 3\n"],
)
def test_nested_values_survive_a_round_trip(before: str) -> None:
    FILE.write_text(before, encoding="utf-8")
    rewrite(FILE, {"estimator": "blend", "parameters": BLEND})
    assert load(FILE).config.train.parameters == BLEND


def test_a_missing_file_is_created() -> None:
    rewrite(FILE, {"folds": 3})
    assert load(FILE).config.train.folds == 3


def test_windows_line_endings_are_kept() -> None:
    FILE.write_bytes(BEFORE.replace("\n", "\r\n").encode())
    rewrite(FILE, {"folds": 5})
    assert FILE.read_bytes().count(b"\r\n") == BEFORE.count("\n")


def test_symbolic_links_and_permissions_are_kept() -> None:
    real = Path("real.toml")
    real.write_text(BEFORE, encoding="utf-8")
    real.chmod(0o640)
    FILE.symlink_to(real)
    rewrite(FILE, {"folds": 5})
    assert FILE.is_symlink()
    assert (real.stat().st_mode & 0o777, load(real).config.train.folds) == (0o640, 5)


@pytest.mark.parametrize(
    ("before", "message"),
    [("[train\n", "not valid TOML"), (BEFORE + "[gate]\n", "not valid TOML"), ("\xff", "utf-8")],
)
def test_an_invalid_file_is_left_unchanged(before: str, message: str) -> None:
    FILE.write_text(before, encoding="latin-1")
    with pytest.raises(ConfigError, match=message):
        rewrite(FILE, {"folds": 5})
    assert FILE.read_text(encoding="latin-1") == before
    assert [path.name for path in Path().iterdir()] == ["config.toml"]


def test_invalid_values_are_rejected_and_nothing_changes() -> None:
    FILE.write_text(BEFORE, encoding="utf-8")
    with pytest.raises(ConfigError, match="folds"):
        rewrite(FILE, {"folds": 1})
    assert FILE.read_text(encoding="utf-8") == BEFORE
    assert [path.name for path in Path().iterdir()] == ["config.toml"]
