"""An edit of the settings is validated, shown and written, or nothing is."""

from pathlib import Path

import pytest

from lightmodel.config import load
from lightmodel.config.edit import edit_text, edit_values
from lightmodel.errors import ConfigError

FILE = Path("config.toml")
BEFORE = """# my table
[data]
target = "price"  # in euros

[train]
# how many
folds = 4

[gate]
minimum = 0.7
"""


@pytest.fixture(autouse=True)
def file() -> None:
    FILE.write_text(BEFORE, encoding="utf-8")


def test_comments_and_order_are_kept_and_the_difference_is_shown_before() -> None:
    edit = edit_values(load(FILE), {"train.folds": 5, "split.test_share": 0.3})
    assert FILE.read_text(encoding="utf-8") == BEFORE
    changed = [line for line in edit.diff.splitlines() if line[:1] in "+-"]
    assert changed == [
        "--- config.toml",
        "+++ config.toml (new)",
        "-folds = 4",
        "+folds = 5",
        "+",
        "+[split]",
        "+test_share = 0.3",
    ]
    assert (edit.config.train.folds, edit.config.split.test_share) == (5, 0.3)
    edit.save()
    text = FILE.read_text(encoding="utf-8")
    assert text.startswith(BEFORE.replace("folds = 4", "folds = 5"))
    assert load(FILE).config.split.test_share == 0.3


def test_a_setting_without_a_value_goes_back_to_its_default() -> None:
    edit = edit_values(load(FILE), {"gate.minimum": None, "log.keep_days": None})
    edit.save()
    assert FILE.read_text(encoding="utf-8") == BEFORE.replace("minimum = 0.7\n", "")


def test_every_mistake_is_reported_by_its_setting_and_nothing_is_written() -> None:
    values = {
        "train.folds": 1,
        "train.task": "guess",
        "data.target": "price",
        "train.parameters": "x",
    }
    with pytest.raises(ConfigError) as caught:
        edit_values(load(FILE), values)
    mistakes = dict(caught.value.mistakes)
    assert mistakes.keys() == {"train.folds", "train.task", "train.parameters"}
    assert "greater than or equal to 2" in mistakes["train.folds"]
    assert "config.toml" not in mistakes["train.folds"]
    assert FILE.read_text(encoding="utf-8") == BEFORE


def test_a_file_that_somebody_changed_meanwhile_is_not_written() -> None:
    edit = edit_values(load(FILE), {"train.folds": 5})
    FILE.write_text(BEFORE + "# mine\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="changed meanwhile"):
        edit.save()
    assert FILE.read_text(encoding="utf-8") == BEFORE + "# mine\n"


def test_what_the_environment_overrides_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTMODEL__TRAIN__FOLDS", "3")
    edit = edit_values(load(FILE), {"train.folds": 5, "train.seed": 1})
    assert edit.overridden == {"train.folds": "LIGHTMODEL__TRAIN__FOLDS"}
    assert edit.config.train.folds == 3


def test_the_whole_text_can_be_edited() -> None:
    edit = edit_text(load(FILE), BEFORE + "\n[[notify]]\nurls = ['${HOOK}']\n")
    edit.save()
    assert len(load(FILE).config.notify.receivers) == 1
    with pytest.raises(ConfigError, match="not valid TOML"):
        edit_text(load(FILE), "[data\n")


def test_a_byte_order_mark_and_a_symbolic_link_are_kept() -> None:
    target = Path("elsewhere.toml")
    target.write_text(f"\ufeff{BEFORE}", encoding="utf-8")
    FILE.unlink()
    FILE.symlink_to(target)
    edit_values(load(FILE), {"train.folds": 5}).save()
    assert FILE.is_symlink()
    assert target.read_bytes().startswith(b"\xef\xbb\xbf# my table")


def test_a_file_that_cannot_be_written_is_said() -> None:
    edit = edit_values(load(FILE), {"train.folds": 5})
    Path("config.toml.part").mkdir()  # as a folder without rights, whoever runs the tests
    with pytest.raises(ConfigError, match="cannot be written"):
        edit.save()
    assert FILE.read_text(encoding="utf-8") == BEFORE


def test_a_file_that_is_read_only_is_not_replaced() -> None:
    edit = edit_values(load(FILE), {"train.folds": 5})
    FILE.chmod(0o444)
    with pytest.raises(ConfigError, match="it is read-only"):
        edit.save()
    assert FILE.read_text(encoding="utf-8") == BEFORE


def test_a_missing_file_is_created() -> None:
    FILE.unlink()
    edit_values(load(environ={}), {"data.target": "price"}).save()
    assert FILE.read_text(encoding="utf-8") == '[data]\ntarget = "price"\n'
