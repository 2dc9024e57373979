"""Deploy to an EC2 instance: Systems Manager runs `deploy docker` on it, in the pipeline image."""

import logging
import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lightmodel.config import DeploySection
from lightmodel.delivery.aws_account import AwsAccount, translate_errors
from lightmodel.delivery.base import DeploymentResult
from lightmodel.delivery.containers import STOP_S
from lightmodel.delivery.engine import image_of, manifest_of
from lightmodel.delivery.proxy import PROXY_IMAGE
from lightmodel.errors import (
    ArtefactCorrupt,
    ArtefactMissing,
    ConfigError,
    DeployFailed,
    LightModelError,
    SourceUnavailable,
)
from lightmodel.interruption import raise_if_interrupted

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.images import Image

logger = logging.getLogger(__name__)

IMAGE = "light-model"
_BUILD = {
    IMAGE: "`docker build -t light-model .` makes one",
    PROXY_IMAGE: "`docker build --target proxy -t light-model-proxy .` makes it",
}
_PIPELINE = (
    "`docker build --target pipeline -t light-model-pipeline .` makes it; aws.tool_image names it"
)
_PULL_S = 900  # for three images of which the largest has more than a gigabyte
_POLL_S = 2.0
_MAX_LINES = 8
_ERRORS: dict[int, type[LightModelError]] = {
    66: ArtefactMissing,
    74: ArtefactCorrupt,
    75: SourceUnavailable,
    78: ConfigError,
}
_RUNNING = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})
_SETTINGS = ("name", "port", "replicas", "ready_timeout_s", "watch_s", "keep_images")
_ENV_FILE = "/etc/light-model/service.env"  # on the instance
# The service's settings and secrets are the instance's: what is sent to it stands in AWS's logs.
_SCRIPT = """set -eu
aws ecr get-login-password --region {region} \\
    | docker login --username AWS --password-stdin {server} >/dev/null
trap 'docker logout {server} >/dev/null' EXIT
for image in {images}; do docker pull --quiet "$image" >/dev/null; done
docker tag {proxy} {proxy_name}
socket=${{DOCKER_HOST:-unix:///var/run/docker.sock}}
set -- -v "${{socket#unix://}}:/var/run/docker.sock" -e DOCKER_HOST=unix:///var/run/docker.sock
if [ -e {env_file} ]; then
    set -- "$@" --env-file {env_file} -v {env_file}:/tmp/service.env:ro \\
        -e LIGHTMODEL__DEPLOY__ENV_FILE=/tmp/service.env
fi
docker run --rm -u 0:0 "$@" {tool} python -m lightmodel deploy docker {words}
"""


@dataclass(frozen=True)
class Ec2Host:
    """The service on one EC2 instance, which Systems Manager reaches; see `Deployment`."""

    account: AwsAccount
    client: "DockerClient"
    deploy_settings: DeploySection

    def plan(self, image: str) -> list[str]:
        """Return what `deploy` would do; see `Deployment`."""
        with translate_errors("cannot make a plan"):
            resolved = self._serving_image(image)
            manifest = manifest_of(self.client, str(resolved.id))
            repository = self.account.repository
            instance = self._instance()
        images = f"{PROXY_IMAGE} and {self.account.settings.tool_image}"
        return [
            f"push {image} ({manifest.version}), {images} to {repository}",
            f"run `deploy docker` on {instance}: start it beside what answers there",
            f"compare its answers to {len(manifest.samples)} sample rows with its manifest, and watch it",
        ]

    def deploy(self, image: str) -> DeploymentResult:
        """Deploy an image; see `Deployment`."""
        with translate_errors(f"cannot deploy {image}"):
            resolved = self._serving_image(image)
            manifest = manifest_of(self.client, str(resolved.id))
            instance = self._instance()
            reference = self.account.push(self.client, resolved)
            printed = self._run(instance, ["--image", reference], [reference])
        return _result(printed, reference, manifest.version)

    def plan_rollback(self) -> list[str]:
        """Return what `rollback` would do; see `Deployment`."""
        with translate_errors("cannot make a plan"):
            return self._run(self._instance(), ["--rollback", "--dry-run"]).splitlines()

    def rollback(self) -> DeploymentResult:
        """Deploy the previous image of the instance again; see `Deployment`."""
        with translate_errors("cannot roll back"):
            printed = self._run(self._instance(), ["--rollback"])
        return _result(printed, "previous image", "")

    def _serving_image(self, image: str) -> "Image":
        resolved = image_of(self.client, image, _BUILD[IMAGE])
        if resolved.labels.get("light-model.service") == "lambda":
            raise ConfigError(
                f"{image} is made for Lambda, and aws.host names an instance", hint=_BUILD[IMAGE]
            )
        return resolved

    def _instance(self) -> str:
        """Return the id of the instance.

        Raises:
            ConfigError: Systems Manager knows no such instance, or several.
            SourceUnavailable: its agent does not answer.
        """
        host = self.account.settings.host
        name, equals, value = host.partition("=")
        wanted = {"Key": f"tag:{name}", "Values": [value]}
        if not equals:
            wanted = {"Key": "InstanceIds", "Values": [host]}
        answer = self.account.hosts.describe_instance_information(Filters=[wanted])
        found = answer["InstanceInformationList"]
        if len(found) != 1:
            raise ConfigError(
                f"Systems Manager knows {len(found)} instances {host} in {self.account.region}",
                hint="aws.host must name one, with the SSM agent and a role that has "
                "AmazonSSMManagedInstanceCore",
            )
        if found[0]["PingStatus"] != "Online":
            raise SourceUnavailable(
                f"the SSM agent of {host} does not answer: {found[0]['PingStatus']}",
                hint="is the instance running, and does it reach Systems Manager?",
            )
        return str(found[0]["InstanceId"])

    def _run(self, instance: str, words: list[str], images: list[str] | None = None) -> str:
        """Run `deploy docker` on the instance; return what it printed.

        Raises:
            LightModelError: it ended with another exit code than 0; the class is that of the code.
        """
        client, tool_image = self.client, self.account.settings.tool_image
        proxy = self.account.push(client, image_of(client, PROXY_IMAGE, _BUILD[PROXY_IMAGE]))
        tool = self.account.push(client, image_of(client, tool_image, _PIPELINE))
        for name in _SETTINGS:
            words = [*words, "--set", f"deploy.{name}={getattr(self.deploy_settings, name)}"]
        # Signatures were checked here; what is pulled there is known by its digest.
        words = [*words, "--set", "deploy.require_signature="]
        script = _SCRIPT.format(
            region=self.account.region,
            server=proxy.partition("/")[0],
            images=" ".join([*(images or []), proxy, tool]),
            proxy=proxy,
            proxy_name=PROXY_IMAGE,
            env_file=_ENV_FILE,
            tool=tool,
            words=shlex.join(words),
        )
        return self._send(instance, script)

    def _send(self, instance: str, script: str) -> str:
        settings = self.deploy_settings
        starts = (1 + settings.replicas) * settings.ready_timeout_s
        seconds = _PULL_S + starts + settings.watch_s + 3 * STOP_S
        sent = self.account.hosts.send_command(
            InstanceIds=[instance],
            DocumentName="AWS-RunShellScript",
            Comment="light-model deploy",
            Parameters={"commands": [script], "executionTimeout": [f"{seconds:.0f}"]},
        )
        command = str(sent["Command"]["CommandId"])
        logger.info("%s runs the command %s", instance, command)
        ended = self._wait(instance, command, seconds)
        if ended["Status"] == "Success":
            return str(ended["StandardOutputContent"])
        raise _failure(instance, ended)

    def _wait(self, instance: str, command: str, seconds: float) -> dict[str, Any]:
        """Return how a command ended.

        Raises:
            SourceUnavailable: the agent does not say within the time.
            KeyboardInterrupt: the command goes on by itself.
        """
        hosts = self.account.hosts
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(_POLL_S)
            try:
                raise_if_interrupted()
            except KeyboardInterrupt:
                logger.warning("%s goes on by itself, and ends or undoes the deployment", instance)
                raise
            try:
                found: dict[str, Any] = hosts.get_command_invocation(
                    CommandId=command, InstanceId=instance
                )
            except hosts.exceptions.InvocationDoesNotExist:  # not yet
                continue
            if found["Status"] not in _RUNNING:
                return found
        raise SourceUnavailable(
            f"{instance} has not ended the deployment after {seconds:.0f} s",
            hint=f"`aws ssm get-command-invocation --instance-id {instance} --command-id {command}`",
        )


def _failure(instance: str, ended: dict[str, Any]) -> LightModelError:
    code = int(ended["ResponseCode"])
    lines = str(ended["StandardErrorContent"]).strip().splitlines()[-_MAX_LINES:]
    how = f"exit code {code}" if code > 0 else str(ended["Status"])
    return _ERRORS.get(code, DeployFailed)(
        f"`deploy docker` on {instance} ended with {how}",
        hint="\n".join([f"the last lines of {instance}:", *lines]),
    )


def _result(printed: str, image: str, version: str) -> DeploymentResult:
    """Return the result of the line that `deploy docker` prints: VERSION …: ADDRESS."""
    line = next((one for one in reversed(printed.splitlines()) if ": http" in one), "")
    address = line.rpartition(": http")[2]
    return DeploymentResult(
        image,
        version or line.partition(" ")[0],
        f"http{address}",
        changed="nothing was changed" not in line,
    )
