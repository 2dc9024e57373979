"""The Jenkinsfile agrees with the chain, and the scripts of its first stages."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from lightmodel.pipeline import CHAIN

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "deploy" / "jenkins"
TEXT = (ROOT / "Jenkinsfile").read_text(encoding="utf-8")


def shell(*words: str, folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        words, cwd=folder, env={**inherited, **environ}, capture_output=True, text=True, check=False
    )


def test_the_stages_contain_the_chain_in_its_order() -> None:
    stages = re.findall(r"stage\('([^']+)'\)", TEXT)
    names = [stage.name for stage in CHAIN]
    assert [stage for stage in stages if stage in names] == names
    candidate = ["candidate", "build", *names, "retry", "package", "smoke test"]
    assert stages == [
        *("delivery", "preflight", "checks and candidate", "checks", *candidate, "sign", "approve"),
        *(f"deploy to {where}" for where in ("Docker host", "Azure", "AWS")),
    ]


def test_each_stage_of_the_chain_runs_itself() -> None:
    for stage in CHAIN:
        (body,) = re.findall(rf"stage\('{stage.name}'\) \{{(.*?)\n {{32}}\}}", TEXT, re.DOTALL)
        assert f"stage.sh chain {stage.name}'" in body


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    def git(*words: str) -> None:
        done = shell("git", "-c", "user.name=a", "-c", "user.email=a@b", *words, folder=tmp_path)
        assert done.returncode == 0, done.stderr

    git("init", "-q")
    for number, name in enumerate(["run.py", "README.md", "docs/page.md", "config.toml"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
        git("add", name)
        git("commit", "-q", "-m", name)
        git("tag", str(number))
    return tmp_path


@pytest.mark.parametrize(
    ("before", "now", "more", "code"),
    [
        ("0", "2", {}, 1),  # README.md and docs/page.md
        ("0", "2", {"FORCE": "true"}, 0),
        ("0", "2", {"REASON": "drift: 2 columns"}, 0),
        ("2", "3", {}, 0),  # config.toml
        ("0", "3", {}, 0),
        ("2", "2", {}, 0),  # by hand, or by the schedule
    ],
)
def test_a_push_of_documentation_alone_needs_no_build(
    repository: Path, before: str, now: str, more: dict[str, str], code: int
) -> None:
    shell("git", "checkout", "-q", now, folder=repository)
    commit = shell("git", "rev-parse", before, folder=repository).stdout.strip()
    environ = {"GIT_PREVIOUS_SUCCESSFUL_COMMIT": commit, **more}
    done = shell("sh", str(SCRIPTS / "needed.sh"), folder=repository, **environ)
    assert done.returncode == code, done.stderr


@pytest.mark.parametrize("before", ["", "0123456789012345678901234567890123456789"])
def test_without_a_known_earlier_build_a_build_is_needed(repository: Path, before: str) -> None:
    environ = {"GIT_PREVIOUS_SUCCESSFUL_COMMIT": before}
    assert shell("sh", str(SCRIPTS / "needed.sh"), folder=repository, **environ).returncode == 0


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({"GIT_PREVIOUS_SUCCESSFUL_COMMIT": "1"}, ["config.toml", "docs/page.md"]),
        ({"GIT_PREVIOUS_SUCCESSFUL_COMMIT": "3"}, []),
        ({"GIT_PREVIOUS_SUCCESSFUL_COMMIT": "3", "FORCE": "true"}, ["everything"]),
        ({"GIT_PREVIOUS_SUCCESSFUL_COMMIT": "0123456789abcdef"}, ["everything"]),
        ({}, ["everything"]),
    ],
)
def test_the_checks_learn_what_has_changed_since_the_last_good_build(
    repository: Path, environ: dict[str, str], asked: list[str]
) -> None:
    tools = repository / "tools"
    tools.mkdir()
    (tools / "docker").write_text('#!/bin/sh\n[ "$1" != start ] || cat >asked\n', encoding="utf-8")
    (tools / "docker").chmod(0o755)
    environ = {"PATH": f"{tools}:{os.environ['PATH']}", **environ}
    done = shell("sh", str(SCRIPTS / "checks.sh"), folder=repository, **environ)
    assert done.returncode == 0, done.stderr
    assert (repository / "asked").read_text(encoding="utf-8").split() == asked


def preflight(folder: Path, docker: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run preflight.sh with a `docker` whose script is passed."""
    tools = folder / "tools"
    tools.mkdir()
    if docker:
        (tools / "docker").write_text(f"#!/bin/sh\n{docker}\n", encoding="utf-8")
        (tools / "docker").chmod(0o755)
    for name in ("sh", "git", "df", "awk", "id", "cat"):
        program = shell("sh", "-c", f"command -v {name}", folder=folder).stdout.strip()
        (tools / name).symlink_to(program)
    return shell(
        "sh", str(SCRIPTS / "preflight.sh"), folder=folder, **{"PATH": str(tools), **environ}
    )


def test_preflight_passes_where_nothing_is_missing(tmp_path: Path) -> None:
    done = preflight(tmp_path, "echo 28.2, API 1.50", MEGABYTES="1")
    assert (done.returncode, "nothing is missing" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("docker", "message"),
    [
        ("", "docker is not on the PATH"),
        ("echo permission denied while trying to connect; exit 1", "DOCKER_GID"),
        ("echo client version 1.41 is too old; exit 1", "newer Docker client"),
        ("echo Cannot connect to the Docker daemon; exit 1", "set DOCKER_HOST"),
        ('[ "$1" != buildx ]', "buildx is missing"),
    ],
)
def test_preflight_reports_what_the_agent_lacks(tmp_path: Path, docker: str, message: str) -> None:
    done = preflight(tmp_path, docker, MEGABYTES="1")
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr


def test_preflight_names_everything_that_is_missing_at_once(tmp_path: Path) -> None:
    done = preflight(tmp_path, "", MEGABYTES="999999999")
    assert "2 things are missing" in done.stderr
    assert "free some space" in done.stderr
