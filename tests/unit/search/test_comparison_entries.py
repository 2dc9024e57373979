"""The default entries of a comparison."""

import pytest

from lightmodel.contract.task import TaskKind
from lightmodel.search.entries import choose_entries, default_entries


@pytest.mark.parametrize("kind", list(TaskKind))
def test_names_are_unique_and_lightgbm_takes_part(kind: TaskKind) -> None:
    names = [one.name for one in default_entries(kind, 100)]
    assert len(set(names)) == len(names)
    assert "lightgbm" in names


def test_a_large_table_changes_parameters_but_not_the_entries() -> None:
    few, many = (default_entries(TaskKind.BINARY, rows) for rows in (2_000, 2_001))
    assert [one.name for one in few] == [one.name for one in many]
    changed = {one.name for one, other in zip(few, many, strict=True) if one != other}
    assert changed == {"mlp", "random-forest"}
    forest = next(one for one in many if one.name == "random-forest")
    assert forest.parameters["max_samples"] == 0.5
    assert forest.parameters["min_samples_leaf"] == 3


def test_an_estimator_whose_package_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "xgboost" else 1)
    chosen, left_out = choose_entries(TaskKind.BINARY, 100, [])
    assert "lightgbm" in [one.name for one in chosen]
    assert left_out == {"xgboost": "not installed: pip install -r requirements/boosters.txt"}


def test_a_slow_estimator_takes_part_if_it_is_named() -> None:
    _, left_out = choose_entries(TaskKind.BINARY, 6_000, ["lightgbm"])
    assert left_out == {}
    _, left_out = choose_entries(TaskKind.BINARY, 6_000, [])
    assert "slow above 5,000 training rows" in left_out["svm"]
    chosen, _ = choose_entries(TaskKind.BINARY, 6_000, ["svm"])
    assert [one.name for one in chosen] == ["svm"]
