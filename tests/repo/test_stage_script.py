"""deploy/jenkins/stage.sh, which runs the steps of the Jenkinsfile, on a real Docker engine."""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.waiting import running

pytestmark = pytest.mark.docker
SCRIPT = Path(__file__).parents[2] / "deploy" / "jenkins" / "stage.sh"

# Like the pipeline image, with a chain that only prints its arguments.
DOCKERFILE = """
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY run.py .
COPY lightmodel lightmodel
RUN install -d -m 2775 var var/store data
ENV HOME=/tmp LIGHTMODEL__STORE__ROOT=/app/var/store PYTHONUNBUFFERED=1
USER 10001:0
"""
RUN = """
import os, pathlib, sys, time
var = pathlib.Path("/app/var")
stage, code = sys.argv[1], int(sys.argv[2])
tries = var / "tries"
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
for name in ("model/20260101T000000000000Z-aaaaaa", "preprocessed/20260101T000000000000Z-bbbbbb"):
    folder = var / "store" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("manifest.json", "verdict.json", "report.html", "model.joblib", "train.csv"):
        (folder / file).write_text(file)
(var / "store" / "logs").mkdir(exist_ok=True)
for number in range(9):
    (var / "store" / "logs" / f"run{number}.log").write_text("")
print(f"{stage} as {os.getuid()}:{os.getgid()}, parameter {os.environ.get('LIGHTMODEL__X')}")
print(sys.argv[3:])
print(f"empty: {'LIGHTMODEL__EMPTY' in os.environ}, of the agent: {'AGENTS_OWN' in os.environ}")
if stage == "sleep":
    print("asleep")
    time.sleep(300)
sys.exit(code)
"""
TOOL = """
import os, pathlib, sys
words = sys.argv[1:]
if words[:2] == ["models", "pack"]:
    if os.environ.get("LIGHTMODEL__CODE"):
        sys.exit(int(os.environ["LIGHTMODEL__CODE"]))
    folder = pathlib.Path(words[-1]) / "20260101T000000000000Z-aaaaaa"
    folder.mkdir(parents=True)
    (folder / "model.joblib").write_text(words[3])
    print(f"packed: {folder.name}", "runtime: lightgbm", sep=chr(10))
    sys.exit()
if words[0] == "sign":
    key, password = (os.environ[f"LIGHTMODEL__DEPLOY__SIGNING_{one}"] for one in ("KEY", "PASSWORD"))
    print(f"{words[1]} by {key.splitlines()} {password}")
    sys.exit()
if words[0] == "sbom":
    print("bill", flush=True)
    sys.exit(9 if "broken" in words[1] else 0)
print(os.environ.get("LIGHTMODEL__DEPLOY__SIGNATURES"))
env_file = pathlib.Path(os.environ["LIGHTMODEL__DEPLOY__ENV_FILE"])
print(sys.argv[1:], env_file.read_text(), oct(env_file.stat().st_mode)[-3:], sys.stdin.read() == "")
print(os.access("/var/run/docker.sock", os.W_OK), os.environ["DOCKER_HOST"], os.getuid())
"""

# With the stages of the Dockerfile that `package` and `lambda` refer to.
SERVING = """
ARG PACKED_FROM=none
FROM ${PACKED_FROM} AS model
FROM python:3.11-slim-bookworm AS serve
ARG MODEL
COPY --from=model / /
LABEL light-model.model=${MODEL}
FROM serve AS lambda
"""


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Agent:
    """A Jenkins agent with a workspace that any user may write to, an image, and its own volumes."""

    name: str
    workspace: Path

    def environ(self, **more: str) -> dict[str, str]:
        variables = {
            "IMAGE": f"{self.name}-image",
            "PREFIX": self.name,
            "BUILD_NUMBER": "7",
            "STORE_VOLUME": f"{self.name}-store",
            "DATA_VOLUME": f"{self.name}-data",
            "LOG_VOLUME": f"{self.name}-log",
            "RETRY_WAITS": "0.1 0.1",
            "AGENTS_OWN": "1",
        }
        return {**os.environ, **variables, **more}

    def stage(
        self, *words: str, uid: int | None = None, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", "stage.sh", *words],
            cwd=self.workspace,
            env=self.environ(**more),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            user=uid,
            extra_groups=None if uid is None else [Path(socket()).stat().st_gid],
        )

    def containers(self) -> list[str]:
        return docker("ps", "-a", "--format", "{{.Names}}", "--filter", f"name={self.name}").split()


def socket() -> str:
    return os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Build a fake pipeline image, and yield the prefix of its name and of its volumes."""
    name = f"stage-test-{uuid.uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp("image")
    (folder / "lightmodel").mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "run.py").write_text(RUN)
    (folder / "lightmodel" / "__init__.py").touch()
    (folder / "lightmodel" / "__main__.py").write_text(TOOL)
    docker("build", "-q", "-t", f"{name}-image", str(folder))
    yield name
    docker("rmi", f"{name}-image")


@pytest.fixture
def agent(image: str) -> Iterator[Agent]:
    # Not below tmp_path, which is closed to other users.
    with tempfile.TemporaryDirectory() as workspace:
        made = Agent(image, Path(workspace))
        made.workspace.chmod(0o777)
        shutil.copy(SCRIPT, made.workspace)
        yield made
    left = made.containers()
    if left:
        docker("rm", "-fv", *left)
    docker("volume", "rm", "-f", *(f"{image}-{what}" for what in ("store", "data", "log")))
    assert not left


@pytest.mark.parametrize("code", [0, 1, 10, 65])
def test_the_exit_code_of_a_stage_is_passed_on_at_once(agent: Agent, code: int) -> None:
    done = agent.stage("chain", "train", str(code), LIGHTMODEL__X="a b$", LIGHTMODEL__EMPTY="")
    assert done.returncode == code
    assert "train as " in done.stdout
    assert "parameter a b$\n" in done.stdout
    assert "empty: False, of the agent: False" in done.stdout
    assert tries(agent) == 1


def test_the_reason_of_a_build_reaches_the_chain_as_one_argument(agent: Agent) -> None:
    done = agent.stage("chain", "train", "0", REASON='drift: age; "new" data $HOME')
    assert done.returncode == 0, done.stderr
    assert """['--reason', 'drift: age; "new" data $HOME']""" in done.stdout


def tries(agent: Agent) -> int:
    assert agent.stage("copy", "tries", "out").returncode == 0
    return len((agent.workspace / "out" / "tries").read_text())


@pytest.mark.parametrize(("waits", "times"), [("0.1 0.1", 3), ("0.1", 2), ("", 1)])
def test_a_retryable_stage_is_retried_once_for_each_wait(
    agent: Agent, waits: str, times: int
) -> None:
    done = agent.stage("chain", "preprocess", "75", RETRY_WAITS=waits)
    assert done.returncode == 75
    assert done.stderr.count("exit code 75, the next try is in 0.1 s") == times - 1
    assert tries(agent) == times


def test_a_new_volume_can_be_written_by_any_user_and_what_comes_out_is_the_users(
    agent: Agent,
) -> None:
    for uid in (12345, 23456):
        done = agent.stage("chain", "train", "0", uid=uid, HOME=str(agent.workspace))
        assert f"train as {uid}:0" in done.stdout, done.stderr
        done = agent.stage("fetch", f"out{uid}", uid=uid, HOME=str(agent.workspace))
        assert done.returncode == 0, done.stderr
        files = [path for path in (agent.workspace / f"out{uid}").rglob("*") if path.is_file()]
        assert {path.stat().st_uid for path in files} == {uid}
        names = {"manifest.json", "verdict.json", "report.html"}
        logs = {f"run{number}.log" for number in range(4, 9)}
        assert {path.name for path in files} == names | logs
        assert {path.parent.name[-6:] for path in files} == {"aaaaaa", "bbbbbb", "logs"}


def test_the_packed_model_becomes_an_image(agent: Agent) -> None:
    serving_repository(agent.workspace)
    tag, shown = (
        agent.name,
        "cat /tmp/runtime /app/var/packed/*/model.joblib; stat -c %a%u /app/var",
    )
    try:
        for word in ("package", "lambda"):
            image = f"{tag}:{word}"
            done = agent.stage(word, image, TAG=tag, RUNTIME="sklearn")
            assert done.returncode == 0, done.stderr
            assert docker("run", "--rm", image, "sh", "-c", shown) == "lightgbm\nsklearn7550\n"
            label = '{{index .Config.Labels "light-model.model"}}'
            model = docker("inspect", "--format", label, image)
            assert model == "20260101T000000000000Z-aaaaaa\n"
        assert not list((agent.workspace / "var").iterdir())
    finally:
        agent.stage("forget", f"{tag}:package", f"{tag}:lambda", f"light-model-packed:{tag}")


def test_without_an_approved_model_there_is_no_image(agent: Agent) -> None:
    done = agent.stage("package", f"{agent.name}:none", LIGHTMODEL__CODE="66")
    assert done.returncode == 66
    assert not docker("images", "-q", f"{agent.name}:none")


def serving_repository(folder: Path) -> None:
    (folder / "Dockerfile").write_text(SERVING)
    for words in (["init", "-q"], ["add", "Dockerfile"], ["commit", "-q", "-m", "all"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True)


def test_fetching_before_anything_was_published_makes_an_empty_folder(agent: Agent) -> None:
    assert agent.stage("fetch", "out").returncode == 0
    assert list((agent.workspace / "out").iterdir()) == []


def test_an_aborted_build_leaves_no_container(agent: Agent) -> None:
    with running(
        ["sh", "stage.sh", "chain", "sleep", "0"],
        cwd=agent.workspace,
        env=agent.environ(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert any(line == "asleep\n" for line in process.stdout)
        assert agent.containers() == [f"{agent.name}-sleep-7"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    assert agent.containers() == []


def test_what_a_build_left_is_removed_and_what_another_left_is_not(agent: Agent) -> None:
    image = f"{agent.name}-image"
    for number in (7, 8):
        label = f"light-model.build={agent.name}-{number}"
        docker("create", "--name", f"{agent.name}-left-{number}", "--label", label, image)
    assert agent.stage("clean").returncode == 0
    assert agent.containers() == [f"{agent.name}-left-8"]
    docker("rm", f"{agent.name}-left-8")


def test_a_container_of_the_same_build_is_replaced(agent: Agent) -> None:
    docker("create", "--name", f"{agent.name}-train-7", f"{agent.name}-image")
    assert agent.stage("chain", "train", "0").returncode == 0


def test_a_tool_has_the_engine_and_the_services_environment(agent: Agent) -> None:
    env_file = agent.workspace / "service.env"
    env_file.write_text("A=1")
    env_file.chmod(0o400)
    done = agent.stage("tool", "deploy", "docker", SERVICE_ENV=str(env_file))
    assert done.returncode == 0, done.stderr
    assert "['deploy', 'docker'] A=1 600 True" in done.stdout
    assert f"True unix:///var/run/docker.sock {os.getuid()}" in done.stdout


def test_settings_of_the_file_reach_a_stage_and_those_of_the_build_win(agent: Agent) -> None:
    env_file = agent.workspace / "service.env"
    env_file.write_text("LIGHTMODEL__X=of the file\n")
    done = agent.stage("chain", "train", "0", SERVICE_ENV=str(env_file))
    assert "parameter of the file\n" in done.stdout
    done = agent.stage(
        "chain", "train", "0", SERVICE_ENV=str(env_file), LIGHTMODEL__X="of the build"
    )
    assert "parameter of the build\n" in done.stdout


def test_a_build_that_made_nothing_ends_without_an_error(agent: Agent) -> None:
    none = f"{agent.name}-none"
    fetched = agent.stage("fetch", "out", IMAGE=none)
    forgotten = agent.stage("forget", none)
    listed = agent.stage("sbom", "bills", f"{agent.name}-image", IMAGE=none)
    ended = (fetched, forgotten, listed)
    assert [(done.returncode, done.stderr) for done in ended] == [(0, "")] * 3


@pytest.mark.parametrize("as_file", [False, True], ids=["value", "file"])
def test_signatures_of_a_build_reach_what_it_deploys(agent: Agent, as_file: bool) -> None:
    (agent.workspace / "key").write_text("first line\nsecond line")
    (agent.workspace / "service.env").write_text("A=1")
    key = {"COSIGN_KEY_FILE": "key"} if as_file else {"COSIGN_KEY": "first line\nsecond line"}
    signed = agent.stage("sign", "shop:7", "lambda:7", uid=None, COSIGN_PASSWORD="secret", **key)
    assert (signed.returncode, signed.stdout) == (0, ""), signed.stderr
    assert "line" not in signed.stderr
    by = "by ['first line', 'second line'] secret"
    done = agent.stage("tool", "deploy", SERVICE_ENV=str(agent.workspace / "service.env"))
    assert f"shop:7 {by}\nlambda:7 {by}\n" in done.stdout, done.stderr
    assert (agent.workspace / "var" / "jenkins" / "signatures").exists()


def test_without_a_key_nothing_is_signed(agent: Agent) -> None:
    (agent.workspace / "service.env").write_text("A=1")
    done = agent.stage("sign", "shop:7", COSIGN_KEY="", COSIGN_PASSWORD="")
    assert (done.returncode, done.stderr) == (
        0,
        "stage.sh: there is no COSIGN_KEY: nothing is signed\n",
    )
    done = agent.stage("tool", "deploy", SERVICE_ENV=str(agent.workspace / "service.env"))
    assert done.stdout.startswith("None\n")


def test_bills_are_written_for_the_images_that_there_are_and_never_half(agent: Agent) -> None:
    image = f"{agent.name}-image"
    for more in ("more:7", "broken:7"):
        docker("tag", image, f"{agent.name}-{more}")
    names = (f"{agent.name}-more:7", f"{agent.name}-nowhere:7", f"{agent.name}-broken:7")
    done = agent.stage("sbom", "bills", *names)
    bills = {path.name: path.read_text() for path in (agent.workspace / "bills").glob("*.json")}
    assert (done.returncode, bills) == (9, {f"{agent.name}-more.cdx.json": "bill\n"})
    docker("rmi", f"{agent.name}-more:7", f"{agent.name}-broken:7")


def test_a_name_is_forgotten_and_an_image_of_another_name_stays(agent: Agent) -> None:
    docker("tag", f"{agent.name}-image", f"{agent.name}-more")
    assert agent.stage("forget", f"{agent.name}-more").returncode == 0
    assert docker("images", "-q", f"{agent.name}-more") == ""
    assert docker("images", "-q", f"{agent.name}-image")


def test_without_an_image_nothing_is_pulled(agent: Agent) -> None:
    done = agent.stage("chain", "train", "0", IMAGE=f"{agent.name}-none")
    assert done.returncode == 125
    assert f"{agent.name}-none" in done.stderr
    assert "Unable to find" not in done.stderr  # what Docker says before it pulls


@pytest.mark.parametrize(
    "words",
    [(), ("what",), ("chain",), ("tool",), ("fetch",), ("sign",), ("sbom", "a"), ("copy", "a")],
)
def test_a_wrong_call_prints_the_usage(agent: Agent, words: tuple[str, ...]) -> None:
    done = agent.stage(*words)
    assert done.returncode == 2
    assert "usage: stage.sh chain" in done.stderr
