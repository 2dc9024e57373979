"""Paths of estimators from earlier releases still work."""

from lightmodel.learners.sklearn import SklearnLearner


def test_an_estimator_is_imported_by_the_path_of_an_earlier_release() -> None:
    for folder in ("adapters.learners", "learners"):
        path = f"lightmodel.{folder}.scaled_target.support_vectors"
        learner = SklearnLearner(path, {"C": 2.0}, seed=0, threads=1)
        assert learner.name == "sklearn"
