"""The Jenkinsfile with stages that fail, executed by a runner: result, what still runs, who is notified.

The scripts of the stages are replaced by one that only ends with an exit code. The one that notifies is
real.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.receiver import Receiver, receiver

pytestmark = pytest.mark.jenkinsfile
ROOT = Path(__file__).parents[2]
SCRIPTS = ("needed", "preflight", "checks", "build", "stage", "smoke")
# Writes down its call, and ends with the code that FAILING has for it.
SCRIPT = """#!/bin/sh
call=$(basename "$0" .sh)
[ "$call" != stage ] || call="$1${2:+ $2}"
echo "$call" >>"$CALLS"
case ";$FAILING;" in *";$call="*) ;; *) exit 0 ;; esac
code=${FAILING#*"$call="}
exit "${code%%;*}"
"""
STAGES = ["preflight", "checks", "build", "chain preprocess", "chain train", "chain testing"]
# What fails with which exit code; the build's result; the last stage that was begun.
PATHS = [
    ("preflight=1", "FAILURE", "preflight"),
    ("checks=1", "FAILURE", "checks"),
    ("build=1", "FAILURE", "build"),
    ("chain preprocess=65", "FAILURE", "chain preprocess"),
    ("chain preprocess=75", "FAILURE", "chain preprocess"),
    ("chain preprocess=78", "FAILURE", "chain preprocess"),
    ("chain train=1", "FAILURE", "chain train"),
    ("chain train=66", "FAILURE", "chain train"),
    ("chain train=74", "FAILURE", "chain train"),
    ("chain testing=74", "FAILURE", "chain testing"),
    ("chain testing=10;cli retry=10", "UNSTABLE", "cli retry"),
    ("chain testing=10;cli retry=75", "FAILURE", "cli retry"),
    ("package light-model:local-1=125", "FAILURE", "package light-model:local-1"),
    ("smoke=1", "FAILURE", "smoke"),
    ("tool deploy=11", "FAILURE", "tool deploy"),
    ("tool deploy=75", "FAILURE", "tool deploy"),
]
AFTERWARDS = {"fetch var/jenkins/results", "sbom var/jenkins/results/sbom", "clean"}


@dataclass(frozen=True)
class Build:
    """A repository with the Jenkinsfile, and the runs of it."""

    folder: Path

    def run(self, failing: str = "", **environ: str) -> tuple[str, list[str]]:
        """Return the result of a build, and the calls of its scripts."""
        calls = self.folder / "calls"
        calls.write_text("", encoding="utf-8")
        variables = {"GIT_BRANCH": "origin/main", **environ}
        words = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        runner = str(ROOT / os.environ["JENKINSFILE_RUNNER"])
        done = subprocess.run(
            ["groovy", runner, "--run", *words, "repository/Jenkinsfile"],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "CALLS": str(calls), "FAILING": failing},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        (result,) = [line for line in done.stdout.splitlines() if "Finished: " in line]
        return result.rpartition(" ")[2], calls.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def build(tmp_path: Path) -> Build:
    repository = tmp_path / "repository"
    scripts = repository / "deploy" / "jenkins"
    scripts.mkdir(parents=True)
    shutil.copy(ROOT / "Jenkinsfile", repository)
    shutil.copy(ROOT / "deploy" / "jenkins" / "notify.sh", scripts)
    for name in SCRIPTS:
        (scripts / f"{name}.sh").write_text(SCRIPT, encoding="utf-8")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "all"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *words], cwd=repository, check=True)
    docker = tmp_path / "bin" / "docker"  # an agent without an engine
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    docker.chmod(0o755)
    return Build(tmp_path)


@pytest.fixture
def chat() -> Iterator[Receiver]:
    with receiver() as state:
        yield state


@pytest.mark.parametrize(("failing", "result", "last"), PATHS)
def test_a_stage_that_fails_ends_the_build_and_a_message_arrives(
    build: Build, chat: Receiver, failing: str, result: str, last: str
) -> None:
    ended, calls = build.run(failing, NOTIFY_URL=chat.url, BUILD_URL="http://jenkins/1")
    stages = [call for call in calls if call not in AFTERWARDS and not call.startswith("forget")]
    assert (ended, stages[-1]) == (result, last)
    assert stages[: len(STAGES) + 1] == ["needed", *STAGES][: len(stages)]
    assert set(calls) >= AFTERWARDS
    assert chat.texts == ["local 1 did not deploy\nhttp://jenkins/1"]


def test_a_build_that_deploys_or_a_retry_that_passes_sends_no_message(
    build: Build, chat: Receiver
) -> None:
    for failing in ("", "chain testing=10"):
        result, calls = build.run(failing, NOTIFY_URL=chat.url)
        assert (result, calls.count("tool deploy")) == ("SUCCESS", 1)
    assert chat.texts == []


@pytest.mark.parametrize(
    ("environ", "deployed"),
    [
        ({"GIT_BRANCH": "origin/main"}, 1),
        ({"GIT_BRANCH": "main"}, 1),
        ({"GIT_BRANCH": "feature/main"}, 0),
        ({"GIT_BRANCH": "origin/main", "DEPLOY_BRANCH": "release"}, 0),
        ({"GIT_BRANCH": "origin/release", "DEPLOY_BRANCH": "release"}, 1),
    ],
)
def test_only_one_branch_is_deployed(build: Build, environ: dict[str, str], deployed: int) -> None:
    result, calls = build.run(**environ)
    assert (result, calls.count("tool deploy")) == ("SUCCESS", deployed)
    assert "forget light-model:local-1" in calls


def test_a_push_of_documentation_alone_does_nothing_and_is_green(build: Build) -> None:
    result, calls = build.run("needed=1")
    assert (result, calls[0]) == ("SUCCESS", "needed")
    assert not {*STAGES, "tool deploy"} & set(calls)


def test_where_nobody_can_be_notified_the_result_stays_and_says_so(
    build: Build, chat: Receiver
) -> None:
    chat.status = 500
    result, calls = build.run("chain testing=10;cli retry=10", NOTIFY_URL=chat.url)
    assert result == "UNSTABLE"
    assert set(calls) >= AFTERWARDS
