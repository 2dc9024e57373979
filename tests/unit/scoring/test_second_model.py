"""A second model is loaded beside the served one, and no fault of it reaches anything else."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ArtefactCorrupt
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.scoring.second_model import SecondModel
from lightmodel.store.versions import Version

BINARY = Task(TaskKind.BINARY, ("no", "yes"))


@dataclass(frozen=True)
class FakeContract:
    """The part of a contract that is compared."""

    task: Task = BINARY


@dataclass(frozen=True)
class FakeModel:
    """The part of a model that a second model is known by."""

    version: str
    contract: FakeContract = FakeContract()


@dataclass
class Found:
    """What the store would find for the served model, and what came of it."""

    name: str = ""
    error: Exception | None = None
    task: Task = BINARY
    opened: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    shown: list[tuple[str, bool]] = field(default_factory=list)

    def find(self, _: LoadedModel) -> Version | None:
        return Version(self.name, cast("Any", None), cast("Any", None)) if self.name else None

    def open(self, version: Version) -> LoadedModel:
        self.opened.append(version.name)
        if self.error:
            raise self.error
        return cast("LoadedModel", FakeModel(version.name, FakeContract(self.task)))

    def use(self, model: LoadedModel | None, _: LoadedModel) -> None:
        self.used.append(model.version if model else "")

    def show(self, role: str, version: str, loaded: bool) -> None:
        assert role == "challenger"
        self.shown.append((version, loaded))


SERVED = cast("LoadedModel", FakeModel("served"))


@pytest.fixture
def found() -> Found:
    return Found()


@pytest.fixture
def second(found: Found) -> SecondModel:
    return SecondModel("challenger", found.find, found.open, found.use, found.show)


def test_it_is_loaded_once_and_replaced_by_a_newer_one(found: Found, second: SecondModel) -> None:
    second.refresh(SERVED)
    for found.name in ("a", "a", "b", ""):
        second.refresh(SERVED)
    assert found.opened == ["a", "b"]
    assert found.used == ["", "a", "a", "b", ""]
    assert found.shown[-3:] == [("a", False), ("b", True), ("b", False)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ArtefactCorrupt("its file does not match", hint="restore it"),
            "its file does not match; restore it",
        ),
        (ValueError("cell 4711"), "it cannot be loaded (ValueError)"),
        (MemoryError(), "it cannot be loaded (MemoryError)"),
    ],
)
def test_one_that_cannot_be_loaded_costs_a_warning_and_a_gauge(
    found: Found, second: SecondModel, caplog: pytest.LogCaptureFixture, error: Exception, said: str
) -> None:
    found.name, found.error = "a", error
    second.refresh(SERVED)
    assert (found.used, found.shown) == ([""], [("a", False)])
    assert f"no challenger: {said}" in caplog.text
    assert "4711" not in caplog.text
    found.error = None
    second.refresh(SERVED)
    assert (found.used[-1], found.shown[-1]) == ("a", ("a", True))


def test_one_of_another_task_is_not_compared(
    found: Found, second: SecondModel, caplog: pytest.LogCaptureFixture
) -> None:
    found.name, found.task = "a", Task(TaskKind.REGRESSION)
    second.refresh(SERVED)
    assert found.used == [""]
    assert "a predicts other classes or another kind of target than served" in caplog.text
