"""A real Docker engine: the project's images, variants of them, and a service for one test."""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker
import requests
from docker.errors import NotFound

from benchmarks.ports import free_port
from tests.fakes.project import ROOT, Ran
from tests.fakes.warm_interpreter import run_python

IMAGE = "light-model-tried"

# Dockerfile lines that turn the serving image into one with a fault.
NEVER_READY = 'CMD ["sleep", "600"]'
ENDS_AT_ONCE = 'CMD ["python", "-c", "raise SystemExit(3)"]'
ANSWERS_WRONGLY = (
    "USER 0\n"
    "RUN sed -i 's/scores = self.score(.*)/& + 1e-9/' "
    "lightmodel/scoring/predictor.py && grep -q 1e-9 lightmodel/scoring/predictor.py "
    "&& rm -r lightmodel/scoring/__pycache__\n"  # compiled files are not compared with their source
    "USER 10001:0"
)


def build(*words: str, dockerfile: str | None = None, folder: Path = ROOT) -> None:
    """Run `docker build` as a user would; its output is the error's message."""
    source = ["-"] if dockerfile else ["."]
    done = subprocess.run(
        ["docker", "build", "--progress=plain", *words, *source],
        cwd=folder,
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        input=dockerfile,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def variant(name: str, lines: str = "", base: str = IMAGE) -> str:
    """Build an image on top of another, and return its name."""
    tag = f"{base}:{name}"
    build("-t", tag, dockerfile=f"FROM {base}\nLABEL variant={name}\n{lines}\n")
    return tag


@dataclass
class Deployments:
    """A service for one test on the engine, and the command that deploys it.

    Attributes:
        folder: working directory of the command.
        name: name of the service.
        port: port of the host.
        settings: `deploy` settings of all commands.
    """

    folder: Path
    name: str
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, **more: str) -> dict[str, str]:
        settings = {"name": self.name, "port": str(self.port), "watch_s": "1"}
        settings |= {"keep_images": "50", **self.settings}
        variables = {f"LIGHTMODEL__DEPLOY__{key.upper()}": value for key, value in settings.items()}
        return {**os.environ, "PYTHONPATH": str(ROOT), **variables, **more}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "lightmodel", *words]

    def run(self, *words: str, **more: str) -> Ran:
        done = run_python(["-m", "lightmodel", *words], self.folder, self.environment(**more))
        return Ran(done.returncode, done.stdout, done.stderr)

    def deploy(self, *words: str) -> Ran:
        return self.run("deploy", "docker", *words)

    def images(self) -> dict[str, str]:
        """Return the image id of each container of the service."""
        containers = docker.from_env().containers.list(
            all=True, ignore_removed=True, filters={"name": f"^{self.name}-"}
        )
        return {
            str(one.name).removeprefix(f"{self.name}-"): one.attrs["Image"] for one in containers
        }

    def live(self) -> str:
        """Return the colour that gets the requests, or "" before the first deployment."""
        if "proxy" not in self.images():
            return ""
        proxy = docker.from_env().containers.get(f"{self.name}-proxy")
        code, _ = proxy.exec_run(["test", "-f", "/var/lib/live/green"])
        return "blue" if code else "green"

    def version(self) -> str:
        """Return the version of the served model."""
        answer = requests.get(f"{self.address}/ready", timeout=60)
        answer.raise_for_status()
        return str(answer.json()["version"])

    def clean(self) -> None:
        """Remove the containers, volumes, images and network of the service."""
        client = docker.from_env()
        for container in client.containers.list(
            all=True, ignore_removed=True, filters={"name": f"^{self.name}-"}
        ):
            container.remove(force=True, v=True)
        for part in ("live", "log"):
            with suppress(NotFound):
                client.volumes.get(f"{self.name}-{part}").remove()
        for image in client.images.list(self.name):
            for tag in image.tags:
                if tag.startswith(f"{self.name}:"):
                    client.images.remove(tag)
        for network in client.networks.list(names=[f"^{self.name}$"]):
            network.remove()
