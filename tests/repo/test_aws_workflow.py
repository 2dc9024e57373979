"""The workflow that deploys to AWS: who may sign in, and its shell steps, with stand-ins for the stages."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes.workflow import WorkflowRun

ROOT = Path(__file__).parents[2]
STAGES = ("preflight", "build", "stage", "smoke")
FILE = ROOT / ".github" / "workflows" / "aws.yml"
# Writes down its call; the stage `chain testing` ends with $TESTING.
SCRIPT = """#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
case "$*" in "chain testing") exit "${TESTING:-0}" ;; esac
"""


def workflow() -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def run(tmp_path: Path) -> WorkflowRun:
    scripts = tmp_path / "deploy" / "jenkins"
    scripts.mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "jenkins" / "aws.sh", scripts)
    (tmp_path / "bin").mkdir()
    for path in (*(scripts / f"{name}.sh" for name in STAGES), tmp_path / "bin" / "docker"):
        path.write_text(SCRIPT, encoding="utf-8")
        path.chmod(0o755)
    (tmp_path / "images.tar.gz").write_bytes(b"")
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
    }
    known = {
        **dict.fromkeys(("vars.EXTRAS", "vars.AWS_HOST", "secrets.SIGNING_KEY"), ""),
        **dict.fromkeys(("secrets.COSIGN_KEY", "secrets.COSIGN_PASSWORD"), ""),
        "github.run_number": "7",
        "github.sha": "c0ffee",
        "github.workspace": str(tmp_path),
        "inputs.rollback": "false",
        "vars.AWS_DEPLOY": "yes",
        "steps.testing.outputs.gate": "",
    }
    return WorkflowRun(FILE, tmp_path, known, environment)


def calls(run: WorkflowRun) -> list[str]:
    return (run.workspace / "calls").read_text(encoding="utf-8").splitlines()


def test_the_function_is_deployed_from_its_own_image(run: WorkflowRun) -> None:
    steps = run.job("image")
    assert steps[-5:] == ["package", "smoke test", "sign", "bill of materials", "save"]
    assert "stage.sh sign light-model-lambda:aws-7" in calls(run)
    assert "stage.sh lambda light-model-lambda:aws-7" in calls(run)
    saved = "light-model-lambda:aws-7 light-model-proxy light-model-pipeline:aws-7"
    assert f"docker save {saved}" in calls(run)
    assert run.job("deploy") == ["load", "deploy"]
    assert calls(run)[-1] == "stage.sh tool deploy aws --image light-model-lambda:aws-7"


def test_an_instance_gets_the_serving_image(run: WorkflowRun) -> None:
    run.known["vars.AWS_HOST"] = "Name=shop"
    run.job("image")
    assert not [call for call in calls(run) if call.startswith("stage.sh lambda")]
    run.job("deploy")
    assert calls(run)[-1] == "stage.sh tool deploy aws --image light-model:aws-7"


def test_a_model_that_the_gate_rejects_is_not_deployed(run: WorkflowRun) -> None:
    run.environment = {**run.environment, "TESTING": "10"}
    assert run.job("image")[-1] == "testing"
    with pytest.raises(AssertionError, match="deploy does not run"):
        run.job("deploy")


def test_a_stage_that_fails_ends_the_run(run: WorkflowRun) -> None:
    run.environment = {**run.environment, "TESTING": "65"}
    with pytest.raises(AssertionError, match="testing: 65"):
        run.job("image")


def test_a_rollback_deploys_nothing_new(run: WorkflowRun) -> None:
    run.known["inputs.rollback"] = "true"
    with pytest.raises(AssertionError, match="image does not run"):
        run.job("image")
    assert run.job("rollback") == ["build what deploys", "roll back"]
    assert calls(run)[-1].endswith("--rollback")


def test_only_jobs_of_the_protected_environment_may_sign_in() -> None:
    jobs = workflow()["jobs"]
    assert workflow()["permissions"] == {}
    for name, job in jobs.items():
        signs_in = any("configure-aws" in step.get("uses", "") for step in job["steps"])
        assert signs_in == (job.get("environment") == "production") == (name != "image")
        wanted = {"contents": "read", **({"id-token": "write"} if signs_in else {})}
        assert job["permissions"] == wanted
    text = FILE.read_text(encoding="utf-8")
    assert "AWS_SECRET_ACCESS_KEY" not in text
    assert "secrets.AWS" not in text


def test_the_paths_that_start_it_exist() -> None:
    for path in workflow()[True]["push"]["paths"]:  # YAML 1.1 reads `on` as True
        assert (ROOT / path.removesuffix("/**")).exists(), path


def test_a_deployment_is_not_cut_in_the_middle() -> None:
    assert workflow()["concurrency"] == {"group": "aws", "cancel-in-progress": False}
