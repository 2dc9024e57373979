"""LightGBM is imported without what the chain does not use of it, and nobody else notices."""

import subprocess
import sys

import pytest

from tests.fakes.project import ROOT

TRAIN = """
import sys
{before}
import numpy
from lightmodel.learners.lean_lightgbm import lgb
x, y = numpy.array([[0.0], [1.0]] * 20), numpy.array([0.0, 1.0] * 20)
booster = lgb.train({{"verbosity": -1, "min_data_in_leaf": 1}}, lgb.Dataset(x, y))
assert booster.predict(x)[1] > 0.9
print(*({{"sklearn", "pandas", "scipy.stats"}} & sys.modules.keys()))
import lightgbm
lightgbm.LGBMRegressor(verbosity=-1).fit(x, y)
print(lgb is lightgbm)
"""


@pytest.mark.parametrize(
    ("before", "loaded", "shared"),
    [
        ("", set(), "False"),
        ("import pandas", {"pandas"}, "False"),
        ("import lightgbm", {"sklearn", "pandas", "scipy.stats"}, "True"),
        ("import sklearn.base", {"sklearn", "pandas", "scipy.stats"}, "True"),
    ],
)
def test_what_is_loaded(before: str, loaded: set[str], shared: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", TRAIN.format(before=before)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    first, second = ran.stdout.splitlines()[-2:]
    assert set(first.split()) == loaded
    assert second == shared
