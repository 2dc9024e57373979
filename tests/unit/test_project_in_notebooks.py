"""A project as a notebook uses it: stages as rows, cross-validation without a model, explanations."""

import numpy as np
import pytest

from lightmodel.errors import ConfigError
from lightmodel.notebooks import Project
from lightmodel.tables.encode import feature_matrix

pytestmark = pytest.mark.usefixtures("project")


def test_stages_are_rows_and_a_rejected_model_is_one_more() -> None:
    project = Project(("train.parameters={max_rounds = 3}", "gate.minimum=0.9999"))
    table = project.run()
    assert list(table.index) == ["preprocess", "train", "testing", "gate"]
    assert list(table["did"]) == ["made", "made", "made", "rejected"]
    assert "is not approved" in str(table.loc["gate", "why"])


def test_cross_validation_makes_no_model_and_keeps_no_folds() -> None:
    project = Project(("train.parameters={max_rounds = 5}",))
    project.run("preprocess")
    fitted = project.cross_validate()
    assert (
        len(fitted.scores) == len(project.training_rows()) == project.split.manifest.rows["train"]
    )
    assert not list(project.config.store.root.glob("model/*"))
    assert not list(project.config.store.work.glob("checkpoints/*"))


def test_variants_are_compared_on_the_same_folds() -> None:
    project = Project(("train.parameters={max_rounds = 5}",))
    project.run("preprocess")
    variants = {"as it is": (), "one round": ("train.parameters={max_rounds = 1}",)}
    metrics = project.compare(variants)
    assert list(metrics.index) == list(variants)
    assert metrics.loc["as it is", "auc"] == project.cross_validate().metrics["auc"]


def test_contributions_add_up_to_the_differences_of_raw_scores() -> None:
    project = Project(("train.parameters={max_rounds = 5}",))
    project.run("preprocess")
    fitted, rows = project.cross_validate(), project.training_rows().head(20)
    parts = project.explain(fitted, rows)
    assert list(parts.columns) == list(project.contract.feature_names)
    table = project.training_table.slice(0, 20)
    scores = fitted.trainer.refit(fitted.fits).predict(feature_matrix(table, project.contract))
    raw = np.log(scores / (1 - scores))
    assert np.allclose(parts.sum(axis=1) - parts.sum(axis=1).iloc[0], raw - raw[0])


def test_an_estimator_that_cannot_explain_itself_says_so() -> None:
    estimator = "train.estimator=sklearn.linear_model.LogisticRegression"
    project = Project((estimator, "train.parameters={}"))
    project.run("preprocess")
    with pytest.raises(ConfigError, match="only LightGBM"):
        project.explain(project.cross_validate(), project.training_rows().head(2))
