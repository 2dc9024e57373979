"""The chain with its folds on a Dask cluster: the same bytes, whatever dies meanwhile."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fakes.dask_cluster import START_S, DaskCluster, dask_cluster
from tests.fakes.project import ROOT, Project, Ran
from tests.fakes.waiting import running, wait_until

pytestmark = pytest.mark.dask
UNAVAILABLE = 75
TREES = "sklearn.ensemble.ExtraTreesClassifier"
MEMBERS = '{estimator = "lightgbm"}, {estimator = "sklearn.naive_bayes.GaussianNB"}'

PATIENT = """
import os, pathlib, time
from sklearn.linear_model import LogisticRegression

class Patient(LogisticRegression):
    def __init__(self, folder="", random_state=None):
        super().__init__(random_state=random_state)
        self.folder = folder

    def fit(self, rows, target):
        turn = self._turn()
        while int((self._folder / "allowed").read_text() or 0) <= turn:
            time.sleep(0.05)
        return super().fit(rows, target)

    @property
    def _folder(self):
        return pathlib.Path(self.folder)

    def _turn(self):
        for turn in range(1000):
            try:
                with (self._folder / "seen" / str(turn)).open("x") as file:
                    file.write(str(os.getpid()))
                return turn
            except FileExistsError:
                pass

def estimator(folder, random_state=None):
    return Patient(folder, random_state)
"""


@dataclass(frozen=True)
class Fits:
    """A folder by which fits of `Patient` are held up: as many end as `allow` was told."""

    folder: Path

    def allow(self, count: int) -> None:
        (self.folder / "new").write_text(str(count), encoding="utf-8")
        (self.folder / "new").replace(self.folder / "allowed")

    def processes(self) -> list[int]:
        """Return the processes of all fits that have begun, in their order."""
        files = sorted((self.folder / "seen").iterdir(), key=lambda path: int(path.name))
        return [int(text) for text in (file.read_text("utf-8") for file in files) if text]

    def words(self) -> list[str]:
        settings = [
            "train.module=patient.py",
            "train.estimator=module",
            f'train.parameters={{folder = "{self.folder}"}}',
        ]
        return [word for setting in settings for word in ("--set", setting)]


@pytest.fixture
def fits(preprocessed: Project) -> Fits:
    (preprocessed.folder / "patient.py").write_text(PATIENT, encoding="utf-8")
    folder = preprocessed.folder / "fits"
    (folder / "seen").mkdir(parents=True)
    made = Fits(folder)
    made.allow(1_000)
    return made


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A cluster that no test harms."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as started:
        yield started


@contextmanager
def own_cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    """Start a cluster that the test may harm."""
    folder = tmp_path / "dask"
    folder.mkdir()
    with dask_cluster(folder) as started:
        yield started


@contextmanager
def training(
    project: Project, fits: Fits, cluster: DaskCluster, timeout_s: float
) -> "Iterator[subprocess.Popen[Any]]":
    """Start `train` on a cluster in the background, with its log in `train.log`."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **cluster.environ(timeout_s)}
    command = project.command("train", *fits.words())
    with (
        (project.folder / "train.log").open("wb") as log,
        running(command, cwd=project.folder, env=environ, stdout=log, stderr=log) as process,
    ):
        yield process


def log_of(project: Project) -> str:
    return (project.folder / "train.log").read_text("utf-8")


def model_hash(project: Project) -> str:
    return hashlib.sha256((project.models()[-1] / "model.joblib").read_bytes()).hexdigest()


def out_of_fold(project: Project) -> bytes:
    return (project.models()[-1] / "metrics.json").read_bytes()


def trained_here(project: Project, *words: str) -> str:
    """Train without a cluster, remove the model, and return its hash."""
    ran = project.run("train", *words)
    assert ran.code == 0, ran.err
    digest = model_hash(project)
    shutil.rmtree(project.folder / "model")
    return digest


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("train.final=ensemble",),
        (
            "train.parameters={num_leaves = 8, max_rounds = 40, linear_tree = true}",
            "train.final=ensemble",
        ),
        (f"train.estimator={TREES}", "train.parameters={n_estimators = 20}"),
        ("train.estimator=blend", f"train.parameters={{members = [{MEMBERS}]}}"),
    ],
    ids=["refit", "ensemble", "linear trees", "scikit-learn", "blend"],
)
def test_the_model_has_the_bytes_of_the_local_one(
    preprocessed: Project, workers: DaskCluster, settings: tuple[str, ...]
) -> None:
    words = [word for setting in settings for word in ("--set", setting)]
    here = preprocessed.run("train", *words)
    assert here.code == 0, here.err
    expected, scores = model_hash(preprocessed), out_of_fold(preprocessed)
    shutil.rmtree(preprocessed.folder / "model")
    spread = preprocessed.run("train", *words, **workers.environ())
    assert spread.code == 0, spread.err
    assert (model_hash(preprocessed), out_of_fold(preprocessed)) == (expected, scores)


def test_an_ensemble_of_scikit_learn_scores_as_the_local_one(
    preprocessed: Project, workers: DaskCluster
) -> None:
    """Its bytes differ: estimators of folds that were fitted in one process share objects."""
    settings = f"train.estimator={TREES}", "train.parameters={n_estimators = 20}"
    words = [word for one in (*settings, "train.final=ensemble") for word in ("--set", one)]
    samples = []
    for environ in ({}, workers.environ()):
        ran = preprocessed.run("train", "--force", *words, **environ)
        assert ran.code == 0, ran.err
        manifest = json.loads((preprocessed.models()[-1] / "manifest.json").read_bytes())
        samples.append((manifest["samples"], manifest["metrics"]))
    assert len(preprocessed.models()) == 2
    assert samples[0] == samples[1]


def test_the_cluster_is_no_part_of_a_models_fingerprint(
    preprocessed: Project, workers: DaskCluster
) -> None:
    assert preprocessed.run("train").code == 0
    again = preprocessed.run("train", **workers.environ())
    assert "reused" in again.out


def test_a_users_own_estimator_is_fitted_by_workers(
    preprocessed: Project, fits: Fits, workers: DaskCluster
) -> None:
    expected = trained_here(preprocessed, *fits.words())
    shutil.rmtree(fits.folder / "seen")
    (fits.folder / "seen").mkdir()
    ran = preprocessed.run("train", *fits.words(), **workers.environ())
    assert ran.code == 0, ran.err
    assert model_hash(preprocessed) == expected
    nannies = [psutil.Process(nanny.pid) for nanny in workers.workers]
    theirs = {child.pid for nanny in nannies for child in nanny.children(recursive=True)}
    *folds, final = fits.processes()
    assert theirs >= set(folds)
    assert final not in theirs


def test_a_worker_killed_in_the_middle_changes_nothing(
    preprocessed: Project, fits: Fits, tmp_path: Path
) -> None:
    expected = trained_here(preprocessed, *fits.words())
    shutil.rmtree(fits.folder / "seen")
    (fits.folder / "seen").mkdir()
    fits.allow(1)
    with own_cluster(tmp_path) as cluster, training(preprocessed, fits, cluster, START_S) as train:
        wait_until(lambda: len(fits.processes()) >= 3, "folds", process=train, seconds=START_S)
        psutil.Process(fits.processes()[-1]).kill()
        fits.allow(1_000)
        assert train.wait(START_S) == 0, log_of(preprocessed)
    assert model_hash(preprocessed) == expected


@pytest.mark.parametrize("what", ["kill_scheduler", "kill_workers", "freeze_scheduler"])
def test_a_cluster_that_goes_away_ends_the_run_and_the_next_one_resumes(
    preprocessed: Project, fits: Fits, tmp_path: Path, what: str
) -> None:
    expected = trained_here(preprocessed, *fits.words())
    shutil.rmtree(fits.folder / "seen")
    (fits.folder / "seen").mkdir()
    fits.allow(2)
    with own_cluster(tmp_path) as cluster:
        with training(preprocessed, fits, cluster, 8) as train:
            done = lambda: len(list(preprocessed.folder.rglob("fold-*.bin"))) == 2  # noqa: E731
            wait_until(done, "two folds", process=train, seconds=START_S)
            getattr(cluster, what)()
            assert train.wait(START_S) == UNAVAILABLE, log_of(preprocessed)
        assert "the same command again: finished folds are kept" in log_of(preprocessed)
        assert not preprocessed.models()
    fits.allow(1_000)
    resumed = preprocessed.run("train", *fits.words())
    assert resumed.code == 0, resumed.err
    assert resumed.err.count("is resumed from its checkpoint") == 2
    assert model_hash(preprocessed) == expected


def test_no_scheduler_ends_the_run(preprocessed: Project) -> None:
    ran: Ran = preprocessed.run(
        "train",
        LIGHTMODEL__DASK__SCHEDULER="tcp://127.0.0.1:1",
        LIGHTMODEL__DASK__ENGINE="dask",
        LIGHTMODEL__DASK__TIMEOUT_S="2",
    )
    assert ran.code == UNAVAILABLE
    assert "the Dask scheduler at tcp://127.0.0.1:1 does not answer" in ran.err
