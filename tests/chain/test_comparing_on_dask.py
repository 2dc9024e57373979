"""`python -m lightmodel compare` and `tune` with a Dask cluster: the results of this machine."""

import csv
import shutil
from collections.abc import Iterator

import pytest

from lightmodel.cluster.client import close_clusters
from lightmodel.config import load
from lightmodel.pipeline import RunContext
from lightmodel.pipeline.entries import read_result
from lightmodel.pipeline.preprocess import current_split
from lightmodel.pipeline.spread_entries import train_on_cluster
from lightmodel.progress import SilentProgress
from lightmodel.search.entries import Entry
from lightmodel.search.parallel import Failure
from tests.fakes.dask_cluster import DaskCluster, dask_cluster
from tests.fakes.project import Project

pytestmark = pytest.mark.dask
WORDS = ("compare", "--only", "logistic", "--only", "knn", "--ensemble")
METRICS = ("_mean", "_spread", "_pooled")
LINE = Entry("line", "sklearn.linear_model.LogisticRegression")


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as started:
        yield started


def compared(project: Project) -> list[dict[str, str]]:
    """Return entries and metrics of the newest comparison: no times."""
    newest = max(project.folder.glob("var/comparisons/2*"))
    with (newest / "comparison.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kept = [key for key in rows[0] if key == "entry" or key.endswith(METRICS)]
    return [{key: row[key] for key in kept} for row in rows]


def without_times(table: bytes) -> list[dict[str, str]]:
    rows = csv.DictReader(table.decode().splitlines())
    return [{key: row[key] for key in row if key not in {"created", "ended"}} for row in rows]


def test_the_comparison_is_that_of_this_machine(
    preprocessed: Project, workers: DaskCluster
) -> None:
    here = preprocessed.tool(*WORDS)
    assert here.code == 0, here.err
    expected = compared(preprocessed)
    shutil.rmtree(preprocessed.folder / "var" / "comparisons")
    spread = preprocessed.tool(*WORDS, **workers.environ())
    assert spread.code == 0, spread.err
    assert compared(preprocessed) == expected
    models = preprocessed.folder / "var" / "comparisons" / "models"
    names = {path.name for path in models.iterdir()}
    again = preprocessed.tool(*WORDS)
    assert again.code == 0, again.err
    assert {path.name for path in models.iterdir()} == names


def test_entries_are_trained_without_the_test_rows_and_signed_here(
    project: Project, workers: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    config = load(environ={"LIGHTMODEL__STORE__SIGNING_KEY": "k" * 40, **workers.environ()}).config
    split = current_split(RunContext(config, SilentProgress()))
    (split.folder / "test.csv").unlink()
    entry, name = next(iter(train_on_cluster(config, split, [LINE], 240)))
    assert isinstance(name, str), name
    assert read_result(config, entry, name).pooled["auc"] > 0.5
    late = Entry("late", LINE.estimator, {"C": 0.5})
    results = {one.name: result for one, result in train_on_cluster(config, split, [LINE, late], 0)}
    assert results == {"line": name, "late": Failure("not finished within 0 s")}
    failing = Entry("failing", LINE.estimator, {"C": -1.0})
    ((_, failure),) = train_on_cluster(config, split, [failing], 240)
    assert isinstance(failure, Failure)
    assert "cannot be fitted" in failure.reason
    close_clusters()


def test_a_study_scores_the_settings_in_force_as_here(
    preprocessed: Project, workers: DaskCluster
) -> None:
    words = ("tune", "--trials", "1")  # the first trial is that of the settings in force
    here = preprocessed.tool(*words)
    assert here.code == 0, here.err
    (folder,) = preprocessed.folder.glob("var/studies/tune-*")
    trials, finalists = ((folder / name).read_bytes() for name in ("trials.csv", "finalists.csv"))
    shutil.rmtree(preprocessed.folder / "var")
    spread = preprocessed.tool(*words, **workers.environ())
    assert spread.code == 0, spread.err
    assert (folder / "finalists.csv").read_bytes() == finalists
    assert without_times((folder / "trials.csv").read_bytes()) == without_times(trials)
