"""A user's own file: it travels with the model, and is applied to requests as to the training rows."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lightmodel.errors import LightModelError
from lightmodel.scoring.model_store import open_version
from lightmodel.store.manifest import Signer
from lightmodel.store.versions import Store, Version
from tests.fakes.project import ROOT, SETTINGS, Project

MODULE = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

def features(columns):
    return {"thrift": columns["spent"] / columns["age"], "online": columns["where"] != "street"}

class Stubborn(ClassifierMixin, BaseEstimator):
    def __init__(self, strength=1.0, random_state=None):
        self.strength, self.random_state = strength, random_state
    def fit(self, rows, target):
        self.inner_ = LogisticRegression(C=self.strength).fit(rows, target)
        self.classes_ = self.inner_.classes_
        return self
    def predict_proba(self, rows):
        return self.inner_.predict_proba(rows)
    def predict(self, rows):
        return self.inner_.predict(rows)

def estimator(strength=1.0, random_state=None):
    return Stubborn(strength, random_state)
"""
OWN = (
    *("--set", "train.module=mine.py", "--set", "train.estimator=module"),
    *("--set", "train.parameters={strength = 0.5}"),
)


@pytest.fixture
def own(preprocessed: Project) -> Project:
    (preprocessed.folder / "mine.py").write_text(MODULE, encoding="utf-8")
    return preprocessed


def newest(project: Project) -> Version:
    return Store(project.folder / "model", "model", Signer(None)).newest()


def test_own_features_and_estimator_are_trained_tested_and_served(own: Project) -> None:
    ran = own.run(*OWN)
    assert ran.code == 0, ran.err
    version = newest(own)
    manifest = version.manifest
    assert (manifest.runtime, manifest.learner, manifest.steps) == (
        "sklearn",
        "sklearn",
        ("module",),
    )
    assert manifest.parameters["learner"]["strength"] == 0.5
    assert "code/mine.py" in manifest.files
    (own.folder / "mine.py").unlink()  # the version holds what it needs
    served = open_version(version)  # the stored scores of the sample rows are checked
    assert served.version == version.name


def test_own_features_reach_lightgbm_and_its_explanations(own: Project) -> None:
    ran = own.run("--set", "train.module=mine.py", "--set", 'train.features=["frequency"]')
    assert ran.code == 0, ran.err
    version = newest(own)
    assert version.manifest.steps == ("frequency", "module")
    gains = json.loads(version.read("feature_importance_gain.json"))
    assert {"thrift", "online", "age (count)"} <= set(gains)
    served = open_version(version)
    row = np.array([[40.0, 55.0, 2.0]])
    names = served.predictor.names
    assert names[:3] == ("age", "spent", "where")
    assert served.predictor.contribute is not None
    assert served.predictor.contribute(row).shape == (1, len(names) + 1)


def test_other_code_is_another_model_and_the_same_code_is_used_again(own: Project) -> None:
    assert own.run(*OWN).code == 0
    assert "reused: nothing changed" in own.run("train", *OWN).out
    (own.folder / "mine.py").write_text(MODULE + "\n# a word more\n", encoding="utf-8")
    ran = own.run("train", *OWN)
    assert "made: inputs changed" in ran.out
    assert len(own.models()) == 2


def test_code_that_was_changed_in_a_version_is_refused(own: Project) -> None:
    assert own.run(*OWN).code == 0
    version = newest(own)
    (version.folder / "code" / "mine.py").write_text("print('taken over')", encoding="utf-8")
    with pytest.raises(LightModelError, match=r"code/mine\.py does not match the manifest"):
        open_version(version)
    assert own.tool("models", "verify").code == 74


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def features(", "mine.py, line 1 is not valid Python"),
        ("import no_such_package", "cannot be executed: ModuleNotFoundError"),
        ("features = 3", "features is not a function"),
        ("import sys\nsys.exit(0)", "cannot be executed: SystemExit"),
        ("def features(columns):\n    return {'x': columns['salary']}", "KeyError: 'salary'"),
        ("x = 1", "mine.py defines no estimator()"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_wrong_setting(
    own: Project, source: str, message: str
) -> None:
    (own.folder / "mine.py").write_text(source, encoding="utf-8")
    words = OWN if "estimator" in message else OWN[:2]
    ran = own.run(*words)
    assert (ran.code, message in ran.err) == (78, True), ran.err
    assert "Traceback" not in ran.err
    assert own.models() == []


def test_a_missing_file_is_a_wrong_setting(own: Project) -> None:
    ran = own.run("--set", "train.module=nowhere.py")
    assert ran.code == 78
    assert "train.module = 'nowhere.py' cannot be read" in ran.err


def test_the_runtime_is_found_from_settings_and_file(own: Project) -> None:
    assert own.tool("runtime").out == "lightgbm\n"
    assert own.tool("runtime", *OWN).out == "sklearn\n"
    (own.folder / "mine.py").write_text("# import sklearn\nimport keras", encoding="utf-8")
    assert own.tool("runtime", "mine.py").out == "neural\n"


def test_calibration_is_fitted_served_and_reported(own: Project) -> None:
    ran = own.run("--set", "train.calibration=sigmoid")
    assert ran.code == 0, ran.err
    version = newest(own)
    assert version.manifest.steps == ("calibration",)
    page = (version.folder / "report.html").read_text(encoding="utf-8")
    assert "Effect of calibration" in page
    assert 0 < open_version(version).predictor.score(np.array([[30.0, 5.0, 0.0]]))[0] < 1


def test_a_table_of_numbers_takes_no_calibration(tmp_path: Path) -> None:
    project = Project(tmp_path)
    random = np.random.default_rng(0)
    table = pa.table({"a": random.normal(size=200), "price": random.normal(size=200)})
    import pyarrow.csv as arrow_csv

    arrow_csv.write_csv(table, tmp_path / "shop.csv")
    project.settings(SETTINGS.replace("bought", "price"))
    ran = project.run("--set", "train.calibration=isotonic")
    assert ran.code == 78
    assert "this task predicts a number" in ran.err


def test_a_model_of_own_code_is_made_again_from_its_version_alone(own: Project) -> None:
    assert own.run(*OWN, "--set", "train.calibration=isotonic").code == 0
    (own.folder / "mine.py").unlink()
    ran = own.tool("reproduce", newest(own).name)
    assert ran.code == 0, ran.err
    assert "byte for byte" in ran.out


def test_a_file_that_changes_while_it_is_trained_makes_no_model(own: Project) -> None:
    changing = MODULE.replace(
        "def features(columns):",
        "def features(columns):\n    open('mine.py', 'a').write('# changed\\n')",
    )
    (own.folder / "mine.py").write_text(changing, encoding="utf-8")
    ran = own.run("--set", "train.module=mine.py")
    assert (ran.code, "changed during training" in ran.err) == (78, True), ran.err
    assert own.models() == []


def test_a_served_model_that_cannot_be_opened_does_not_block_its_successor(own: Project) -> None:
    (own.folder / "mine.py").write_text("import helper_of_mine\n" + MODULE, encoding="utf-8")
    (own.folder / "helper_of_mine.py").write_text("", encoding="utf-8")
    with_helper = {"PYTHONPATH": f"{ROOT}:{own.folder}"}
    assert own.run(*OWN, **with_helper).code == 0
    (own.folder / "mine.py").write_text(MODULE, encoding="utf-8")
    ran = own.run(*OWN)
    assert ran.code == 0, ran.err
    assert "cannot be opened, so it is not compared" in ran.err


def test_dvc_watches_the_file() -> None:
    from lightmodel.cli.docs import dvc_file
    from lightmodel.config import load

    assert '- "mine.py"' in dvc_file(load(sets=OWN[1:2], environ={}).config)
    assert "mine.py" not in dvc_file(load(environ={}).config)


def test_a_run_ends_at_a_ctrl_c_that_python_dropped(own: Project) -> None:
    dropped = """
import signal

class Forgotten:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def features(columns):
    Forgotten()
    return {"thrift": columns["spent"] / columns["age"]}
"""
    (own.folder / "mine.py").write_text(dropped, encoding="utf-8")
    ran = own.run("--set", "train.module=mine.py")
    assert (ran.code, "interrupted; the next run resumes" in ran.err) == (130, True), ran.err
    assert not own.models()
