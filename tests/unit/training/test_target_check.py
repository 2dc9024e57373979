"""A target on which no model can be trained: what is said of it, and of the setting behind it."""

from pathlib import Path

import pytest

from lightmodel.config import load
from lightmodel.errors import ContractViolation
from lightmodel.pipeline import RunContext
from lightmodel.pipeline.preprocess import current_split
from lightmodel.progress import SilentProgress


def run(labels: str, *sets: str) -> str:
    """Return the message that stops the chain on a table with these labels."""
    rows = "".join(f"{row % 7},{label}\n" for row, label in enumerate(labels * 20))
    Path("table.csv").write_text(f"a,y\n{rows}", encoding="utf-8")
    config = load(None, ["data.source=table.csv", "data.target=y", *sets], {}).config
    with pytest.raises(ContractViolation) as caught:
        current_split(RunContext(config, SilentProgress()))
    return caught.value.message


@pytest.mark.parametrize(
    ("labels", "sets"),
    [("01", ()), ("01", ("data.unlabelled=drop",)), ("0012", ()), ("0", ())],
    ids=["stop", "drop", "several classes", "no label at all"],
)
def test_labels_that_a_setting_makes_missing_are_blamed_on_it(
    labels: str, sets: tuple[str, ...]
) -> None:
    message = run(labels, 'data.na_values=["0"]', *sets)
    assert 'data.na_values says that "0" means a missing value' in message


def test_only_texts_that_were_added_are_named() -> None:
    message = run("01", 'data.na_values=["NA", "0", "-1"]')
    assert 'data.na_values says that "0", "-1" mean a missing value' in message


def test_of_the_default_nothing_is_said() -> None:
    assert "data.na_values" not in run("1")
