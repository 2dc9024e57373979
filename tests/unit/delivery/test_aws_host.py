"""`deploy aws` to an EC2 instance: what is run there, and what comes back; its programs are scripts."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest
from docker import DockerClient

from benchmarks.lambda_runtime import Answer
from lightmodel.config import load
from lightmodel.delivery.aws_account import AwsAccount, open_account
from lightmodel.delivery.aws_host import Ec2Host
from lightmodel.errors import (
    ArtefactMissing,
    ConfigError,
    DeployFailed,
    LightModelError,
    SourceUnavailable,
)
from tests.fakes.aws import INSTANCE, Aws, aws
from tests.fakes.clouds import moto
from tests.fakes.engine import Engine, Image
from tests.fakes.project import Project

pytestmark = pytest.mark.aws
# Writes down its words; `docker run` prints and ends as files beside it say.
DOCKER = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/calls"
[ "$1" != login ] || cat >"$here/password"
[ "$1" = run ] || exit 0
cat "$here/printed"
echo "error: what the instance says" >&2
exit "$(cat "$here/code")"
"""
LIVE = "20261121T005018961753Z-667e3a answers now: http://localhost:5001 on host"
KEPT = LIVE.replace("answers now", "was already deployed; nothing was changed")


@dataclass
class Instance:
    """A fake AWS, and an instance whose programs are scripts in a folder."""

    aws: Aws
    engine: Engine
    folder: Path
    account: AwsAccount

    def deployment(self, *sets: str) -> Ec2Host:
        config = load(None, [f"aws.host={INSTANCE}", *sets], {}).config
        account = replace(self.account, settings=config.aws)
        return Ec2Host(account, cast("DockerClient", self.engine), config.deploy)

    def prints(self, printed: str, code: int = 0) -> None:
        (self.folder / "printed").write_text(printed, encoding="utf-8")
        (self.folder / "code").write_text(str(code), encoding="utf-8")

    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


@pytest.fixture(scope="module")
def everything() -> Iterator[tuple[Aws, Engine, AwsAccount]]:
    def nothing(_: str, __: object) -> Answer:
        raise AssertionError

    engine = Engine()
    with (
        moto() as address,
        aws(address, "registry.example", nothing, lambda tag: engine.pushed.get(tag, "")) as state,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in state.environment.items():
            patch.setenv(name, value)
        yield state, engine, open_account(load(None, [], {}).config.aws)


@pytest.fixture
def instance(
    everything: tuple[Aws, Engine, AwsAccount],
    trained_shop: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Instance:
    for name, text in {"docker": DOCKER, "aws": "#!/bin/sh\necho secret-password\n"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    (path,) = (trained_shop.folder / "model").glob("*/manifest.json")
    labels = {"light-model.service": "serve"}
    names = ("light-model", "light-model-proxy", "light-model-pipeline")
    state, engine, account = everything
    state.reset()
    engine.clear()
    engine.known = {name: Image(path.read_bytes(), labels, content=name) for name in names}
    state.instances = [{"InstanceId": INSTANCE, "PingStatus": "Online", "tag:Name": "shop"}]
    return Instance(state, engine, tmp_path, account)


def test_the_instance_runs_deploy_docker_in_the_pipeline_image(instance: Instance) -> None:
    instance.prints(f"{LIVE}\n")
    done = instance.deployment("deploy.port=5005", "aws.host=Name=shop").deploy("light-model")
    assert (done.changed, done.address) == (True, "http://localhost:5001 on host")
    assert done.version == json.loads(instance.engine.known["light-model"].manifest)["version"]
    (run,) = [call for call in instance.calls() if call.startswith("run ")]
    assert f"python -m lightmodel deploy docker --image {done.image}" in run
    assert "--set deploy.port=5005" in run
    assert "--set deploy.require_signature=" in run  # it was checked here
    assert "-v /var/run/docker.sock:/var/run/docker.sock" in run
    assert len([call for call in instance.calls() if call.startswith("pull ")]) == 3
    assert instance.calls()[-1] == "logout registry.example"
    assert (instance.folder / "password").read_text(encoding="utf-8") == "secret-password\n"
    (command,) = instance.aws.commands.values()
    assert "secret-password" not in json.dumps(command)


def test_what_is_live_already_is_left_alone(instance: Instance) -> None:
    instance.prints(f"{KEPT}\n")
    assert not instance.deployment().deploy("light-model").changed


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (11, DeployFailed),
        (66, ArtefactMissing),
        (75, SourceUnavailable),
        (78, ConfigError),
        (1, DeployFailed),
    ],
)
def test_its_exit_code_and_last_lines_come_back(
    instance: Instance, code: int, error: type[LightModelError]
) -> None:
    instance.prints("", code)
    with pytest.raises(error, match=f"ended with exit code {code}") as raised:
        instance.deployment().rollback()
    assert "error: what the instance says" in raised.value.hint
    assert instance.calls()[-1] == "logout registry.example"


def test_a_plan_of_a_rollback_is_that_of_the_instance(instance: Instance) -> None:
    instance.prints("start it\nwatch it\n")
    assert instance.deployment().plan_rollback() == ["start it", "watch it"]
    (run,) = [call for call in instance.calls() if call.startswith("run ")]
    assert "--rollback --dry-run" in run


def test_a_plan_names_images_and_instance_and_pushes_nothing(instance: Instance) -> None:
    lines = instance.deployment().plan("light-model")
    assert "light-model-proxy and light-model-pipeline to registry.example" in lines[0]
    assert INSTANCE in lines[1]
    assert "sample rows" in lines[2]
    assert (instance.engine.pushed, instance.calls()) == ({}, [])


def test_an_instance_that_cannot_be_reached_is_named(instance: Instance) -> None:
    with pytest.raises(ConfigError, match="knows 0 instances i-0 in us-east-1"):
        instance.deployment("aws.host=i-0").deploy("light-model")
    instance.aws.instances *= 2
    with pytest.raises(ConfigError, match="knows 2 instances Name=shop"):
        instance.deployment("aws.host=Name=shop").deploy("light-model")
    instance.aws.instances = [{"InstanceId": INSTANCE, "PingStatus": "ConnectionLost"}]
    with pytest.raises(SourceUnavailable, match="does not answer: ConnectionLost"):
        instance.deployment().deploy("light-model")
    assert instance.engine.pushed == {}


def test_an_image_for_lambda_is_refused(instance: Instance) -> None:
    instance.engine.known["light-model"].labels["light-model.service"] = "lambda"
    with pytest.raises(ConfigError, match="is made for Lambda"):
        instance.deployment().deploy("light-model")
