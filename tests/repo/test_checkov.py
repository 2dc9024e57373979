"""checkov finds nothing in infrastructure, images and workflows that is not excused, with a reason."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCANNED = ("deploy", ".github", "Dockerfile", "docker-compose.yml")
FRAMEWORKS = ("terraform", "dockerfile", "github_actions", "yaml", "secrets")
REASON = re.compile(r"checkov:skip=(CKV2?_\w+)(?::(.*))?$", re.MULTILINE)

pytestmark = pytest.mark.checkov


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the results of a scan without a network, by framework."""
    tool = shutil.which("checkov")
    assert tool
    folder = tmp_path_factory.mktemp("scanned")
    listed = subprocess.run(
        ["git", "ls-files", "-z", *SCANNED], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    command = [tool, "-d", ".", "--framework", *FRAMEWORKS, "--skip-download", "-o", "json"]
    # Whatever it might ask for on the network gets no answer.
    closed = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | closed, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    found = json.loads(done.stdout)
    return {
        one["check_type"]: one["results"] for one in (found if isinstance(found, list) else [found])
    }


def test_no_check_fails(results: dict[str, Any]) -> None:
    failed = [
        f"{one['check_id']} {one['file_path']} {one['resource']}: {one['check_name']}"
        for framework in results.values()
        for one in framework["failed_checks"]
    ]
    assert not failed
    assert not [error for one in results.values() for error in one["parsing_errors"]]


def test_every_file_is_really_scanned(results: dict[str, Any]) -> None:
    seen = {
        (framework, one["file_path"].lstrip("/"))
        for framework, content in results.items()
        for one in content["passed_checks"]
    }
    assert {("dockerfile", "Dockerfile"), ("dockerfile", "deploy/jenkins/Dockerfile")} <= seen
    workflows = {path.name for path in (ROOT / ".github" / "workflows").iterdir()}
    assert {Path(path).name for kind, path in seen if kind == "github_actions"} == workflows
    clouds = {Path(path).parent.name for kind, path in seen if kind == "terraform"}
    assert clouds == {"aws", "azure"}


def test_every_excuse_has_a_reason_and_excuses_something(results: dict[str, Any]) -> None:
    skipped = {one["check_id"] for content in results.values() for one in content["skipped_checks"]}
    texts = [
        path.read_text(encoding="utf-8")
        for name in ("deploy/aws", "deploy/azure", ".github/workflows")
        for path in sorted((ROOT / name).iterdir())
    ]
    excuses = [found for text in texts for found in REASON.findall(text)]
    assert len(excuses) > 20
    assert all(len(reason) > 20 for _, reason in excuses)
    assert {check for check, _ in excuses} <= skipped
