"""When an earlier version is reused, and what the fingerprint of a model depends on."""

from pathlib import Path
from typing import Any

import pytest

from lightmodel.config import Config, TrainSection
from lightmodel.errors import ConfigError
from lightmodel.pipeline.reuse import (
    find_reusable,
    libraries_of,
    model_key,
    model_parameters,
    modules_of,
    needed_runtime,
)
from lightmodel.store.manifest import Signer
from lightmodel.store.versions import Store, Version

KEY = "inputs=1 parameters=2 code=3 libraries=4"


def models() -> Store:
    return Store(Path("model"), "model", Signer(None))


def published(key: str = KEY, data: bytes = b"payload") -> Version:
    with models().draft() as draft:
        draft.write("model.joblib", data)
        return draft.publish(inputs={}, parameters={}, rows={}, fingerprint=key)


def split(train: bytes = b"a,b\n1,2\n") -> Version:
    with Store(Path("preprocessed"), "split", Signer(None)).draft() as draft:
        draft.write("train.csv", train)
        draft.write("contract.json", b"{}")
        return draft.publish(inputs={}, parameters={}, rows={}, fingerprint=KEY)


def settings(**train: Any) -> Config:
    return Config(train=TrainSection(**train))


def test_nothing_is_reused_from_an_empty_store() -> None:
    reuse = find_reusable(models(), KEY)
    assert (reuse.version, reuse.why) == (None, "there is none yet")


def test_the_newest_version_with_the_same_fingerprint_is_reused() -> None:
    published()
    newest = published()
    published(KEY.replace("3", "9"))
    reuse = find_reusable(models(), KEY)
    assert (reuse.version, reuse.why) == (newest, "nothing changed")


def test_the_reason_names_what_differs_from_the_newest() -> None:
    published()
    reuse = find_reusable(models(), "inputs=1 parameters=9 code=9 libraries=4")
    assert (reuse.version, reuse.why) == (None, "parameters, code changed")


def test_a_version_that_does_not_suit_is_passed_over() -> None:
    older, newer = published(), published()
    assert find_reusable(models(), KEY, lambda one: one.name != newer.name).version == older
    reuse = find_reusable(models(), KEY, lambda _: False)
    assert (reuse.version, reuse.why) == (None, "another model was approved")


def test_a_damaged_version_is_not_reused() -> None:
    version = published()
    version.file("model.joblib").write_bytes(b"damaged")
    reuse = find_reusable(models(), KEY)
    assert (reuse.version, reuse.why) == (None, f"{version.name} is damaged")


def test_a_model_depends_on_rows_and_parameters_but_not_on_threads_or_retries() -> None:
    rows = split()
    key = model_key(settings(), rows)
    assert model_key(settings(threads=1, retry=3), rows) == key
    assert model_key(settings(seed=5), rows) != key
    assert model_key(settings(), split(b"a,b\n1,3\n")) != key


def test_user_code_is_identified_by_content_and_name_not_by_folder() -> None:
    keys = set()
    for folder in ("one", "two"):
        Path(folder).mkdir()
        Path(folder, "mine.py").write_text("import numpy\n", encoding="utf-8")
        keys.add(model_key(settings(module=f"{folder}/mine.py"), split()))
    assert len(keys) == 1
    assert model_parameters(settings(module="two/mine.py"))["train"]["module"] == "mine.py"
    Path("two", "mine.py").write_text("import numpy as np\n", encoding="utf-8")
    assert model_key(settings(module="two/mine.py"), split()) not in keys


def test_a_blend_depends_on_what_its_members_depend_on() -> None:
    members = [{"estimator": "lightgbm"}, {"estimator": "sklearn.svm.SVC"}]
    blend = TrainSection(estimator="blend", parameters={"members": members})
    assert {"lightmodel.learners.blend", "lightmodel.learners.lightgbm"} <= set(modules_of(blend))
    assert {"lightgbm", "scikit-learn"} <= set(libraries_of(blend))
    assert needed_runtime(blend) == "sklearn"


def test_user_code_adds_the_libraries_that_it_imports() -> None:
    Path("mine.py").write_text("import pandas\nimport nowhere_installed\n", encoding="utf-8")
    train = TrainSection(module="mine.py")
    assert "pandas" in libraries_of(train)
    assert needed_runtime(train) == "sklearn"
    assert "pandas" not in libraries_of(TrainSection())


def test_missing_user_code_is_named() -> None:
    with pytest.raises(ConfigError, match=r"gone\.py"):
        libraries_of(TrainSection(module="gone.py"))
