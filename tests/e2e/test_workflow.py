"""The workflow that delivers, with the steps and the environment of GitHub's runner, on a real engine.

Images are signed, and no unsigned one is deployed.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import host, images, service
from tests.fakes.docker_engine import Deployments
from tests.fakes.project import ROOT
from tests.fakes.signing import make_keys
from tests.fakes.workflow import WorkflowRun, runner_environment

__all__ = ["host", "images", "service"]
pytestmark = pytest.mark.docker
DELIVER = ROOT / ".github" / "workflows" / "deliver.yml"


@pytest.fixture
def run(service: Deployments, host: str, tmp_path: Path) -> Iterator[WorkflowRun]:
    """Yield a run for a repository that pushes to a registry on loopback and deploys to this engine."""
    workspace = tmp_path / "workspace"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(workspace)], check=True)
    # What AWS' own client prints is a password; this registry wants none.
    aws = tmp_path / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text("#!/bin/sh\necho password\n", encoding="utf-8")
    aws.chmod(0o755)
    environment = runner_environment(tmp_path, LIGHTMODEL__DEPLOY__NAME=service.name)
    environment["PATH"] = f"{aws.parent}:{environment['PATH']}"
    environment["LIGHTMODEL__DEPLOY__PORT"] = str(service.port)
    environment["LIGHTMODEL__DEPLOY__WATCH_S"] = "1"
    keys = make_keys(tmp_path / "keys", "cosign", "secret")
    shutil.copy(keys.public, workspace / "deploy")
    environment["LIGHTMODEL__DEPLOY__REQUIRE_SIGNATURE"] = f"deploy/{keys.public.name}"
    known = {
        **dict.fromkeys(("inputs.force", "vars.EXTRAS", "secrets.SIGNING_KEY", "github.token"), ""),
        "secrets.COSIGN_KEY": keys.private,
        "secrets.COSIGN_PASSWORD": keys.password,
        **dict.fromkeys(("secrets.NOTIFY_URL", "github.actor", "github.repository"), ""),
        "github.server_url": "https://github.com",
        "github.run_id": "1",
        "github.run_number": "7",
        "github.sha": "c0ffee",
        "github.workspace": str(workspace),
        "vars.DELIVER": "yes",
        "vars.DEPLOY_RUNNER": "yes",
        "vars.ECR_REPOSITORY": f"{host}/{service.name}-pushed",
    }
    yield WorkflowRun(DELIVER, workspace, known, environment)
    left = ("light-model:light-model-7", "light-model-pipeline:light-model-7")
    for image in (*left, f"{host}/{service.name}-pushed:light-model-7"):
        subprocess.run(["docker", "rmi", image], capture_output=True, check=False)


def test_every_shell_step_runs_and_at_the_end_the_new_version_answers(
    run: WorkflowRun, service: Deployments
) -> None:
    steps = run.job("chain")
    assert steps[-5:] == ["smoke test", "push", "sign", "bill of materials", "results"]
    assert run.job("deploy") == ["pull", "build what deploys", "deploy"]
    bills = (run.workspace / "var" / "jenkins" / "results" / "sbom").glob("*.cdx.json")
    assert len(list(bills)) == 3
    assert service.version()
