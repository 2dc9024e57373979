"""A Docker host in memory, as far as `deploy docker` uses one, with what answers through its proxy."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from docker.errors import ImageNotFound, NotFound

from lightmodel.delivery.smoke_test import Answer
from lightmodel.store.manifest import Manifest
from tests.fakes.engine import CREATED
from tests.fakes.engine import Container as ReadContainer
from tests.fakes.engine import Image as ReadImage

SAMPLES = ({"values": {"x": 1}, "score": [-3.5]}, {"values": {"x": 2}, "score": [4.25]})
FIRST, SECOND = "20261121T005018961753Z-667e3a", "20261122T005018961753Z-667e3b"
NOBODY = Answer(503, "no version of the service answers at the moment")


def manifest(version: str) -> bytes:
    task = {"kind": "regression", "labels": []}
    return Manifest("model", version, "", {}, {}, {}, {}, "", task=task, samples=SAMPLES).to_json()


@dataclass
class Image(ReadImage):
    """An image with tags. `starts` says of the how-manieth container of it whether that becomes ready."""

    host: "Host | None" = None
    tags: list[str] = field(default_factory=list)
    starts: Callable[[int], bool] = lambda _: True
    started: int = 0

    def tag(self, repository: str, tag: str) -> None:
        name = f"{repository}:{tag}"
        for other in self.host.known if self.host else ():
            other.tags = [one for one in other.tags if one != name]
        self.tags.append(name)

    def reload(self) -> None:
        pass


@dataclass
class Container(ReadContainer):
    """A container with Docker's attributes; `answers` is whether its service does."""

    client: Any = None
    id: str = ""
    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    status: str = "created"
    health: str = "healthy"
    answers: bool = True
    policy: str = ""
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def aliases(self) -> list[str]:
        network = self.options.get("networking_config") or {}
        return [alias for config in network.values() for alias in config["aliases"]]

    def reload(self) -> None:
        pass

    def rename(self, name: str) -> None:
        self.name = name

    def start(self) -> None:
        self.status = "running"
        image = self.image
        if isinstance(image, Image) and self.aliases:
            image.started += 1
            self.answers = image.starts(image.started)
        self.client.note(f"start {self.name}")

    def restart(self, timeout: float) -> None:
        assert timeout
        self.status, self.answers = "running", True
        self.client.note(f"restart {self.name}")

    def stop(self, timeout: float) -> None:
        assert timeout >= 30  # the service ends its requests
        self.status = "exited"
        self.client.note(f"stop {self.name}")

    def remove(self, **_: object) -> None:
        if self in self.client.running:
            self.client.running.remove(self)
            if self.name:  # else it was made to read the files of an image
                self.client.note(f"remove {self.name}")

    def update(self, restart_policy: dict[str, Any]) -> None:
        self.policy = restart_policy["Name"]

    def logs(self, tail: int) -> bytes:
        return b"its log" if tail else b""

    def put_archive(self, *_: object) -> None:
        pass


@dataclass
class Images:
    """`client.images`."""

    host: "Host"

    def get(self, name: str) -> Image:
        for image in self.host.known:
            if name in (image.id, *image.tags) or f"{name}:latest" in image.tags:
                return image
        raise ImageNotFound(name)

    def list(self, pattern: str) -> list[Image]:
        start = pattern.rstrip("*")
        return [one for one in self.host.known if any(tag.startswith(start) for tag in one.tags)]

    def remove(self, reference: str) -> None:
        self.get(reference).tags.remove(reference)


@dataclass
class Containers:
    """`client.containers`."""

    host: "Host"

    def get(self, name: str) -> Container:
        for container in self.host.running:
            if container.name == name:
                return container
        raise NotFound(name)

    def list(self, filters: dict[str, str] | None = None, **_: object) -> list[Container]:
        pattern = (filters or {}).get("name", "nothing" if filters else "")
        return [one for one in self.host.running if re.search(pattern, one.name)]

    def create(
        self, image: str, name: str = "", labels: dict[str, str] | None = None, **options: Any
    ) -> Container:
        assert name not in {one.name for one in self.host.running}
        ports = {port: [{"HostPort": str(at)}] for port, at in options.get("ports", {}).items()}
        of = self.host.images.get(image)
        attrs = {
            "HostConfig": {"PortBindings": ports},
            "State": {"StartedAt": CREATED, "ExitCode": 1},
            "RestartCount": 0,
            "ImageID": of.id,
        }
        made = Container(
            of, labels or {}, client=self.host, name=name, options=options, attrs=attrs
        )
        made.id = f"id-{next(self.host.numbers)}"
        self.host.running.append(made)
        return made


class Networks:
    """`client.networks`; the service's is there."""

    def list(self, names: list[str]) -> list[str]:
        return names


@dataclass
class Host:
    """A Docker host; it is its own `api` too.

    Attributes:
        running: all containers, running or not.
        state: names of the files by which the proxy knows where requests go.
        events: what happened to containers.
        outages: the events after which a service that had answered did not.
        on_event: called with each event.
    """

    known: list[Image] = field(default_factory=list)
    running: list[Container] = field(default_factory=list)
    state: set[str] = field(default_factory=set)
    events: list[str] = field(default_factory=list)
    outages: list[str] = field(default_factory=list)
    on_event: Callable[[str], None] = lambda _: None
    numbers: Any = field(default_factory=count)
    answered: bool = False
    base_url: str = "http+docker://localhost"
    api_version: str = "1"
    _commands: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.images, self.containers = Images(self), Containers(self)
        self.networks, self.api = Networks(), self
        proxy = Image(b"", {}, content="proxy", host=self, tags=["light-model-proxy:latest"])
        self.known.append(proxy)

    def add_image(self, name: str, version: str, **more: Any) -> Image:
        """Add an image that serves a version of the model."""
        made = Image(manifest(version), {}, content=name, host=self, tags=[name], **more)
        self.known.append(made)
        return made

    def named(self, pattern: str) -> list[str]:
        """Return the names of containers, sorted."""
        return sorted(one.name for one in self.running if re.fullmatch(pattern, one.name))

    def note(self, event: str) -> None:
        """Note an event, and whether the service answers after it."""
        self.events.append(event)
        answers = self.ask("http://127.0.0.1:5001/ready").status == 200
        if self.answered and not answers:
            self.outages.append(event)
        self.answered = answers
        self.on_event(event)

    def info(self) -> dict[str, str]:
        return {"SystemTime": f"2026-11-02T12:00:00.{next(self.numbers):06d}Z", "Name": "host"}

    # What `api` is asked for.

    def create_endpoint_config(self, aliases: list[str]) -> dict[str, list[str]]:
        return {"aliases": aliases}

    def post(self, *_: object, **__: object) -> "Host":
        return self

    def raise_for_status(self) -> None:
        pass

    def close(self) -> None:
        pass

    def exec_create(
        self, container: str, command: list[str], environment: object, *, stderr: bool
    ) -> dict[str, str]:
        assert not stderr, environment
        self._commands[container] = self._execute(command)
        return {"Id": container}

    def exec_start(self, command: str, *, stream: bool) -> bytes:
        assert not stream
        return self._commands[command][1]

    def exec_inspect(self, command: str) -> dict[str, int]:
        return {"ExitCode": self._commands[command][0]}

    def _execute(self, command: list[str]) -> tuple[int, bytes]:
        if command[0] == "ls":
            return 0, "\n".join(sorted(self.state)).encode()
        if command[0] == "sh":
            for step in command[2].split(" && ")[1:]:
                verb, *names = step.replace("-f ", "").split()
                self.state = self.state - {*names} if verb == "rm" else self.state | {*names}
            self.note("switch")
            return 0, b""
        answer = self.ask(command[3], body=len(command) > 4)
        return 0, json.dumps({"status": answer.status, "body": answer.body}).encode()

    def ask(self, url: str, *, body: bool = False) -> Answer:
        """Answer a request from the proxy's container."""
        parts = urlsplit(url)
        hosts = [str(parts.hostname)]
        if hosts == ["127.0.0.1"]:
            live, before = ("green", "blue") if "green" in self.state else ("blue", "green")
            hosts = [live, before] if f"watched-{live}" in self.state else [live]
        replicas = [
            one
            for host in hosts
            for one in self.running
            if host in one.aliases and one.status == "running"
        ]
        # As nginx: another one where one cannot be reached.
        answers = [self._answer(one, parts.path, body=body) for one in replicas if one.answers]
        return answers[0] if answers else NOBODY

    def _answer(self, replica: Container, path: str, *, body: bool) -> Answer:
        content = json.loads(replica.image.manifest)
        if body:
            scores = [{"prediction": sample["score"][0]} for sample in content["samples"]]
            return Answer(200, json.dumps(scores))
        assert path in {"/ready", "/model"}
        return Answer(200, json.dumps({"status": "ready", "version": content["version"]}))
