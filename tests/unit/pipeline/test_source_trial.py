"""A source is tried: its first rows, its contract and its drift, and nothing is published."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pytest

from lightmodel.config import Config, load
from lightmodel.errors import ContractViolation, DataError, DriftExceeded
from lightmodel.pipeline.source_trial import HEAD_ROWS, try_source
from lightmodel.progress import SilentProgress
from tests.fakes.project import Project
from tests.fakes.tables import shop_table


def settings(project: Project, *sets: str) -> Config:
    return load(project.folder / "config.toml", sets, {}).config


def versions(project: Project) -> list[Path]:
    return sorted(project.folder.glob("preprocessed/2*"))


@pytest.fixture
def shop(approved: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(approved.folder)
    return approved


def test_rows_contract_and_profile_are_shown_before_there_is_a_model(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    trial = try_source(settings(project), SilentProgress())
    assert trial.problem is None
    assert (trial.served, trial.drift) == ("", ())
    assert len(trial.head["age"]) == HEAD_ROWS < trial.rows
    assert trial.contract
    assert trial.contract.feature_names == ("age", "spent", "where")
    assert trial.profile
    assert trial.profile.columns["age"].rows == trial.rows
    assert not versions(project)


def test_drift_from_the_table_of_the_approved_model_is_measured(shop: Project) -> None:
    before = versions(shop)
    calm = try_source(settings(shop), SilentProgress())
    assert calm.served == shop.models()[-1].name
    assert calm.problem is None
    assert not [one for one in calm.drift if one.drifted]
    table = shop_table(rows=900, seed=5)
    moved = table.set_column(
        table.column_names.index("age"), "age", pc.add(table["age"], pc.cast(30, table["age"].type))
    )
    arrow_csv.write_csv(moved, shop.folder / "shop.csv")
    drifted = try_source(settings(shop), SilentProgress())
    assert drifted.drift[0].column == "age"
    assert drifted.drift[0].drifted
    assert drifted.problem is None
    refused = try_source(settings(shop, "data.max_drift=0.1"), SilentProgress())
    assert isinstance(refused.problem, DriftExceeded)
    assert refused.drift == drifted.drift
    assert versions(shop) == before


def test_a_table_that_breaks_the_contract_is_shown_with_the_reason(shop: Project) -> None:
    table = shop_table(rows=300, seed=5).drop_columns(["spent"])
    arrow_csv.write_csv(table, shop.folder / "shop.csv")
    trial = try_source(settings(shop), SilentProgress())
    assert isinstance(trial.problem, ContractViolation)
    assert trial.contract
    assert trial.contract.feature_names == ("age", "where")


def test_a_table_without_its_target_still_has_first_rows(shop: Project) -> None:
    trial = try_source(settings(shop, "data.target=price"), SilentProgress())
    assert "price" in (trial.problem.message if trial.problem else "")
    assert trial.contract is None
    assert trial.head["age"]


def test_a_source_that_is_not_there_is_an_error(shop: Project) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        try_source(settings(shop, "data.source=nowhere.csv"), SilentProgress())
