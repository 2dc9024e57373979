"""An estimator is found by the path that an earlier version gave it."""

from lightmodel.learners.sklearn import SklearnLearner


def test_an_estimator_that_a_manifest_names_by_its_earlier_path_is_found() -> None:
    for folder in ("adapters.learners", "learners"):
        path = f"lightmodel.{folder}.scaled_target.support_vectors"
        learner = SklearnLearner(path, {"C": 2.0}, seed=0, threads=1)
        assert learner.name == "sklearn"
