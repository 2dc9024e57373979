"""The workflows of GitHub Actions."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightmodel.pipeline import CHAIN

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def loaded(name: str) -> dict[Any, Any]:
    text = (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
    workflow: dict[Any, Any] = yaml.safe_load(text)
    return workflow


def deliver() -> dict[Any, Any]:
    return loaded("deliver.yml")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_action_is_pinned_by_a_commit_whose_version_is_named(file: Path) -> None:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d", line), line


@pytest.mark.parametrize(("file", "job"), [("deliver.yml", "chain"), ("aws.yml", "image")])
def test_the_steps_are_the_stages_of_the_chain_in_order(file: str, job: str) -> None:
    steps = [step.get("name", "") for step in loaded(file)["jobs"][job]["steps"]]
    names = [stage.name for stage in CHAIN]
    assert [step for step in steps if step in names] == names


def test_the_steps_run_the_scripts_that_jenkins_runs() -> None:
    jenkins = set(
        re.findall(r"deploy/jenkins/(\w+\.sh)", (ROOT / "Jenkinsfile").read_text("utf-8"))
    )
    texts = "".join(file.read_text(encoding="utf-8") for file in FILES)
    scripts = set(re.findall(r"deploy/jenkins/(\w+\.sh)", texts))
    assert scripts == jenkins - {"needed.sh"}  # path filters do that here
    assert all((ROOT / "deploy" / "jenkins" / name).exists() for name in scripts)


def test_a_change_of_documentation_alone_starts_nothing() -> None:
    on = deliver()[True]  # YAML 1.1 reads `on` as True
    assert on["push"]["paths-ignore"] == ["**.md", "docs/**"]


def test_nobody_has_more_rights_than_a_job_asks_for() -> None:
    workflow = deliver()
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["chain"]["permissions"]["contents"] == "read"
    assert workflow["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize("address", ["registry.example", "registry.example/"])
def test_a_registry_without_a_repository_is_refused_before_anything_is_pushed(address: str) -> None:
    steps = deliver()["jobs"]["chain"]["steps"]
    script = next(step["run"] for step in steps if step.get("name") == "push")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={"ECR": address, "PATH": "/nonexistent"},  # no other program can be run
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    assert "registry/name" in done.stdout


@pytest.mark.shell
def test_zizmor_finds_nothing() -> None:
    done = subprocess.run(
        ["zizmor", "--offline", "--no-progress", str(ROOT / ".github")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
