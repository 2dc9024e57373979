"""The chain under DVC: older data bring back the older split and model, from any remote."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.csv as arrow_csv
import pytest
import yaml

from lightmodel.cli.docs import dvc_file
from lightmodel.config import load
from lightmodel.pipeline import CHAIN
from tests.fakes.clouds import azurite, make_bucket, make_container, moto
from tests.fakes.project import ROOT, SETTINGS
from tests.fakes.tables import shop_table

TABLE = "data/shop.csv"
NAMES = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org"}
NAMES |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in NAMES.items()}


def stages_for(source: str) -> dict[str, Any]:
    config = load(None, [f"data.source={source}"], {}).config
    stages: dict[str, Any] = yaml.safe_load(dvc_file(config))["stages"]
    return stages


def test_what_writes_to_one_folder_is_one_stage_in_the_order_of_the_chain() -> None:
    stages = stages_for("sample://santander?rows=50")
    assert [name for key in stages for name in key.split("-")] == [one.name for one in CHAIN]
    assert list(stages) == ["preprocess", "train-testing"]
    assert stages["train-testing"]["deps"][0] == "var/dvc/preprocessed"
    for folder, stage in zip(("preprocessed", "model"), stages.values(), strict=True):
        assert stage["outs"] == [{f"var/dvc/{folder}": {"persist": True}}]


def test_each_code_dependency_exists() -> None:
    for stage in stages_for("sample://santander?rows=50").values():
        assert all((ROOT / path).exists() for path in stage["deps"] if "var/" not in path)


@pytest.mark.parametrize(
    ("source", "dependency"),
    [
        ("data/shop 1.csv", "data/shop 1.csv"),
        ("file://data/shop.csv", "data/shop.csv"),
        ("data/part-*.csv", "data"),
        ("https://example.org/shop.csv", None),
        ("gdrive://abc", None),
    ],
)
def test_a_local_table_is_a_dependency_and_a_remote_one_is_checked_each_time(
    source: str, dependency: str | None
) -> None:
    stage = stages_for(source)["preprocess"]
    assert (stage["deps"][0] == dependency) == (dependency is not None)
    assert ("always_changed" in stage) == (dependency is None)


@dataclass(frozen=True)
class Repository:
    """A clone of the project in which DVC is set up."""

    folder: Path

    def run(self, *words: str) -> str:
        program = shutil.which("dvc") if words[0] == "dvc" else words[0]
        assert program, "dvc is not on the PATH; it comes with requirements/dvc.txt"
        done = subprocess.run(
            [program, *words[1:]],
            cwd=self.folder,
            env={
                **os.environ,
                **NAMES,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "DVC_NO_ANALYTICS": "true",
                "DVC_SITE_CACHE_DIR": str(self.folder / "var" / "site"),
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def commit(self, table_seed: int) -> dict[str, str]:
        """Commit a version of the data, its splits and models, and return the hashes of these files."""
        (self.folder / "data").mkdir(exist_ok=True)
        arrow_csv.write_csv(shop_table(seed=table_seed), self.folder / TABLE)
        self.run("dvc", "add", "-q", TABLE)
        self.run("dvc", "repro", "-q")
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", f"data {table_seed}")
        self.run("git", "tag", f"data-{table_seed}")
        return self.hashes()

    def hashes(self) -> dict[str, str]:
        """Return the sha256 of the table and of everything in the splits and models."""
        places = [self.folder / "data", *(self.folder / "var" / "dvc").glob("[mp]*")]
        files = [path for place in places for path in place.rglob("*") if path.is_file()]
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
            if path.suffix not in {".dvc", ".part"} and path.name != ".gitignore"
        }


@dataclass(frozen=True)
class TwoVersions:
    repository: Repository
    older: dict[str, str]
    newer: dict[str, str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TwoVersions:
    """Return the project with two versions of a table, and the splits and models of each."""
    folder = tmp_path_factory.mktemp("dvc") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    settings = SETTINGS.replace("shop.csv", TABLE) + "max_regression = 1\n"
    (folder / "config.toml").write_text(settings, encoding="utf-8")
    repository = Repository(folder)
    repository.run(sys.executable, "-m", "lightmodel", "docs")
    repository.run("git", "init", "-q")
    repository.run("dvc", "init", "-q")
    return TwoVersions(repository, repository.commit(1), repository.commit(2))


@pytest.fixture
def local(tmp_path: Path) -> list[list[str]]:
    return [["add", "-d", "store", str(tmp_path / "remote")]]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with moto() as address:
        make_bucket(address, "data")
        yield [
            ["add", "-d", "store", "s3://data/shop"],
            ["modify", "store", "endpointurl", address],
        ]


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[list[list[str]]]:
    with azurite(tmp_path / "azurite") as connection:
        make_container(connection, "data")
        yield [
            ["add", "-d", "store", "azure://data/shop"],
            ["modify", "store", "connection_string", connection],
        ]


@pytest.mark.dvc
def test_nothing_is_done_again_and_nothing_is_left_for_git(made: TwoVersions) -> None:
    assert "up to date" in made.repository.run("dvc", "status")
    assert made.repository.run("git", "status", "--short") == ""


@pytest.mark.dvc
@pytest.mark.parametrize("remote", ["local", "s3", "azure"])
def test_older_data_bring_back_the_older_split_and_model_by_hash(
    made: TwoVersions,
    remote: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "settings"))
    for verb, *words in request.getfixturevalue(remote):
        made.repository.run("dvc", "remote", verb, "--global", *words)
    made.repository.run("dvc", "push", "-q", "--all-tags")
    clone = Repository(tmp_path / "clone")
    Repository(tmp_path).run("git", "clone", "-q", str(made.repository.folder), str(clone.folder))
    clone.run("dvc", "pull", "-q")
    assert clone.hashes() == made.newer
    clone.run("git", "checkout", "-q", "data-1", "--", "dvc.lock", f"{TABLE}.dvc")
    clone.run("dvc", "pull", "-q")
    assert clone.hashes() == made.older
    clone.run("git", "checkout", "-q", "data-2", "--", "dvc.lock", f"{TABLE}.dvc")
    clone.run("dvc", "checkout", "-q")
    assert clone.hashes() == made.newer
    assert len([name for name in made.newer if name.endswith("model.joblib")]) == 2
