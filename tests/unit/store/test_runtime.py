"""The runtime of a training file comes from its imports, as Python reads them."""

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.errors import ConfigError
from lightmodel.store.provenance import (
    RUNTIMES,
    runtime_of_estimator,
    runtime_of_source,
    serves,
    widest,
)


@pytest.mark.parametrize(
    ("source", "runtime"),
    [
        ("import lightgbm as lgb", "lightgbm"),
        ("import numpy as np", "lightgbm"),
        ("", "lightgbm"),
        ("from sklearn.svm import SVC", "sklearn"),
        ("import os, sklearn.svm", "sklearn"),
        ("import sklearn\nimport keras", "neural"),
        ("def estimator():\n    from torch import nn\n    return nn", "neural"),
        ("try:\n    import xgboost\nexcept ImportError:\n    xgboost = None", "boosters"),
        ("if True: import catboost", "boosters"),
    ],
)
def test_the_widest_import_decides_wherever_it_stands(source: str, runtime: str) -> None:
    assert runtime_of_source(source, "my.py") == runtime


@pytest.mark.parametrize(
    "source",
    [
        "# import torch",
        '"""import keras"""',
        "text = 'from sklearn import svm'",
        "keras = 1\ntorch = keras",
        "from .keras import layers",
        "from mine import torch",
        "import mykeras.keras",
        "print('import', 'torch')",
    ],
)
def test_what_only_looks_like_an_import_does_not_count(source: str) -> None:
    assert runtime_of_source(source, "my.py") == "lightgbm"


@given(st.text(max_size=60))
def test_no_text_in_a_string_or_a_comment_changes_the_runtime(text: str) -> None:
    line = "".join(text.splitlines()).replace("\0", "")
    source = f"note = {line!r}\n# {line.encode('ascii', 'replace').decode()}\nimport sklearn\n"
    assert runtime_of_source(source, "my.py") == "sklearn"


@given(
    st.from_regex(r"[a-z_]{1,12}", fullmatch=True).filter(lambda name: not keyword.iskeyword(name))
)
def test_an_unknown_package_needs_nothing_more(name: str) -> None:
    known = {"sklearn", "scipy", "pandas", "joblib", "xgboost", "catboost"} | {
        *("keras", "jax", "flax", "torch", "skorch", "tensorflow")
    }
    if name not in known:
        assert runtime_of_source(f"import {name}", "my.py") == "lightgbm"


@pytest.mark.parametrize("source", ["import", "def f(:", "\0", "print 'x'"])
def test_the_error_names_a_file_that_is_not_python(source: str) -> None:
    with pytest.raises(ConfigError, match=r"my\.py.*is not valid Python"):
        runtime_of_source(source, "my.py")


@pytest.mark.parametrize(
    ("estimator", "runtime"),
    [
        ("lightgbm", "lightgbm"),
        ("lightgbm.LGBMClassifier", "sklearn"),
        ("sklearn.svm.SVC", "sklearn"),
        ("xgboost.XGBClassifier", "boosters"),
        ("catboost.CatBoostRegressor", "boosters"),
        ("neural", "neural"),
        ("skorch.NeuralNetClassifier", "neural"),
        ("module", "sklearn"),
    ],
)
def test_an_estimators_name_says_what_it_needs(estimator: str, runtime: str) -> None:
    assert runtime_of_estimator(estimator) == runtime


@pytest.mark.parametrize(
    ("image", "model", "does"),
    [
        *(
            ("sklearn", "lightgbm", True),
            ("boosters", "sklearn", True),
            ("neural", "lightgbm", True),
            ("lightgbm", "compiled", True),
        ),
        *(
            ("compiled", "lightgbm", False),
            ("lightgbm", "sklearn", False),
            ("neural", "boosters", False),
            ("sklearn", "neural", False),
        ),
        *(("neural", "neural", True), ("nonsense", "lightgbm", False)),
    ],
)
def test_an_image_serves_its_own_models_and_the_plainer_ones(
    image: str, model: str, does: bool
) -> None:
    assert serves(image, model) is does


def test_a_wider_runtime_serves_what_a_narrower_one_serves() -> None:
    assert [widest("compiled", one) for one in RUNTIMES] == list(RUNTIMES)
    assert all(serves(one, "compiled") for one in RUNTIMES)
    assert widest("neural", "sklearn") == "neural"
