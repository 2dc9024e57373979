"""Which model is served while models are published, withdrawn and damaged."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from lightmodel.errors import ArtefactCorrupt, ArtefactMissing, LightModelError
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.scoring.predictor import LoadedModel


@dataclass(frozen=True)
class Model:
    """The part of a loaded model that the model manager uses."""

    version: str


@dataclass
class FakeStore:
    """A store whose newest model is set by the test."""

    model: Model | None = None
    error: LightModelError = field(default_factory=lambda: ArtefactMissing("there is no model"))
    withdrawn: set[str] = field(default_factory=set)
    changes: int = 0
    opened: int = 0
    failure: Exception | None = None

    def put(self, version: str | None) -> None:
        self.model = Model(version) if version else None
        self.changes += 1

    def state(self, _: object) -> int:
        return self.changes

    def newest(self, current: Model | None) -> Model:
        self.opened += 1
        if self.failure:
            raise self.failure
        if self.model is None:
            raise self.error
        return current if current == self.model else self.model

    def is_withdrawn(self, name: str) -> bool:
        return name in self.withdrawn


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def loaded() -> list[str | None]:
    return []


@pytest.fixture
def manager(store: FakeStore, loaded: list[str | None]) -> ModelManager:
    view = cast("ModelStoreView", store)
    return ModelManager(view, 60.0, lambda model: loaded.append(model.version if model else None))


def test_a_model_is_loaded_when_it_is_first_required(
    manager: ModelManager, store: FakeStore, loaded: list[str | None]
) -> None:
    store.put("a")
    assert loaded == []
    assert manager.require().version == "a"
    assert manager.require().version == "a"
    assert (loaded, store.opened) == (["a"], 1)


def test_without_a_model_the_reason_is_raised_until_there_is_one(
    manager: ModelManager, store: FakeStore
) -> None:
    for _ in range(2):
        with pytest.raises(ArtefactMissing, match="there is no model"):
            manager.require()
    assert store.opened == 0 or store.opened == 1
    store.put("a")
    assert manager.require().version == "a"


def test_a_newer_model_is_swapped_in(
    manager: ModelManager, store: FakeStore, loaded: list[str | None]
) -> None:
    store.put("a")
    manager.refresh()
    store.put("b")
    assert manager.require().version == "a"
    manager.refresh()
    assert manager.require().version == "b"
    assert loaded == ["a", "b"]


def test_an_unchanged_store_is_not_read_again(manager: ModelManager, store: FakeStore) -> None:
    store.put("a")
    for _ in range(3):
        manager.refresh()
    assert store.opened == 1


def test_the_old_model_is_still_served_if_a_newer_one_cannot_be_loaded(
    manager: ModelManager, store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.put("a")
    manager.refresh()
    store.put(None)
    manager.refresh()
    assert manager.require().version == "a"
    assert "still serving a: there is no model" in caplog.text


def test_a_withdrawn_model_is_unloaded(
    manager: ModelManager, store: FakeStore, loaded: list[str | None]
) -> None:
    store.put("a")
    manager.refresh()
    store.withdrawn.add("a")
    store.put(None)
    manager.refresh()
    with pytest.raises(ArtefactMissing):
        manager.require()
    assert loaded == ["a", None]


@pytest.mark.parametrize("failure", [OSError(5, "Input/output error"), MemoryError()])
def test_what_the_files_do_not_show_is_tried_again_some_seconds_later(
    store: FakeStore, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    manager = ModelManager(cast("ModelStoreView", store), 60.0, lambda _: None, lambda: now[0])
    store.put("a")
    store.failure = failure
    for now[0] in (0.0, 1.0, 20.0):
        with pytest.raises(ArtefactCorrupt, match=r"models cannot be read: (Input|Memory)"):
            manager.require()
    assert store.opened == 2
    assert caplog.text.count("no model to serve") == 1
    store.failure, now[0] = None, 40.0
    assert manager.require().version == "a"


def test_the_fake_has_the_methods_of_the_store() -> None:
    for name in ("state", "newest", "is_withdrawn"):
        assert callable(getattr(FakeStore, name))
        assert callable(getattr(ModelStoreView, name))
    assert hasattr(LoadedModel, "version")
