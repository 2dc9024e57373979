"""Every setting is described as a form needs it."""

from collections.abc import Mapping

from lightmodel.config import load
from lightmodel.config.describe import SettingInfo, described, title_of


def settings(environ: Mapping[str, str] | None = None) -> dict[str, SettingInfo]:
    return {one.path: one for one in described(load(environ=environ or {}))}


def test_type_choices_range_default_and_explanation_are_those_of_the_model() -> None:
    known = settings()
    folds = known["train.folds"]
    assert (folds.kind, folds.bounds, folds.default, folds.value) == (
        "integer",
        {"ge": 2, "le": 100},
        10,
        10,
    )
    assert "cross-validation" in folds.description
    task = known["train.task"]
    assert (task.kind, task.choices) == ("choice", ("auto", "binary", "multiclass", "regression"))
    minimum = known["gate.minimum"]
    assert (minimum.kind, minimum.optional, minimum.value) == ("number", True, None)
    kinds = {
        "gate.allow_uncompared": "boolean",
        "data.source": "text",
        "logs.folder": "text",
        "train.parameters": "toml",
        "train.features": "toml",
        "serve.train_token": "secret",
    }
    assert {path: known[path].kind for path in kinds} == kinds
    assert all(one.description for one in known.values())
    assert title_of("gate").startswith("The quality gate")


def test_the_value_in_force_comes_with_its_origin_and_a_secret_without_its_value() -> None:
    known = settings(
        {"LIGHTMODEL__TRAIN__FOLDS": "4", "LIGHTMODEL__SERVE__TRAIN_TOKEN": "very-secret"}
    )
    assert (known["train.folds"].value, known["train.folds"].origin) == (
        4,
        "LIGHTMODEL__TRAIN__FOLDS",
    )
    assert known["serve.train_token"].value is True
    assert known["serve.api_keys"].value is None
    assert "very-secret" not in repr(known)


def test_tables_of_the_file_are_left_out() -> None:
    assert not [path for path in settings() if path.startswith("notify.")]
