"""The estimators that enter a comparison by default."""

from dataclasses import replace

import pytest

from lightmodel.contract.task import TaskKind
from lightmodel.search.entries import Entry, default_entries, is_installed


@pytest.mark.parametrize("kind", list(TaskKind))
def test_names_are_unique_and_lightgbm_takes_part(kind: TaskKind) -> None:
    names = [one.name for one in default_entries(kind, 100)]
    assert len(set(names)) == len(names)
    assert "lightgbm" in names


def test_a_large_table_changes_parameters_and_not_who_takes_part() -> None:
    few, many = (default_entries(TaskKind.BINARY, rows) for rows in (2_000, 2_001))
    assert [one.name for one in few] == [one.name for one in many]
    changed = {one.name for one, other in zip(few, many, strict=True) if one != other}
    assert changed == {"mlp", "random-forest"}
    forest = next(one for one in many if one.name == "random-forest")
    assert forest.parameters["max_samples"] == 0.5
    assert forest.parameters["min_samples_leaf"] == 3


def test_an_estimator_whose_package_is_missing_is_recognised() -> None:
    entry = Entry("tree", "sklearn.tree.DecisionTreeClassifier")
    assert is_installed(entry)
    assert not is_installed(replace(entry, estimator="no_such_package.Tree"))
