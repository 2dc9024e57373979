"""The replicas of one version of a service: containers of one colour, which all have its name.

The proxy sends each request to one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightmodel.delivery.proxy import Colour, Proxy
from lightmodel.delivery.smoke_test import OK

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.containers import Container

REPLICAS = "light-model.replicas"  # label: how many a deployment started


@dataclass(frozen=True, order=True)
class Replica:
    """A replica by the colour of its version and its number, from 1."""

    colour: Colour
    number: int

    @property
    def host(self) -> str:
        """Its own name in the service's network."""
        return f"{self.colour}-{self.number}"

    def container_name(self, service: str) -> str:
        """Return the name of its container."""
        return f"{service}-{self.colour if self.number == 1 else self.host}"


def replica_of(container: "Container") -> Replica:
    """Return which replica a container is, by its name."""
    *_, before, last = str(container.name).split("-")
    colour, number = (before, int(last)) if last.isdecimal() else (last, 1)
    return Replica("green" if colour == "green" else "blue", number)


def replicas_of(client: "DockerClient", service: str, colour: Colour) -> "list[Container]":
    """Return the containers of a colour by their numbers, running or not."""
    name = f"^{service}-{colour}(-[0-9]+)?$"
    found = client.containers.list(all=True, ignore_removed=True, filters={"name": name})
    return sorted(found, key=replica_of)


def names_of(containers: "Sequence[Container]") -> str:
    """Return the names of containers as messages have them; "nothing" for none."""
    return ", ".join(str(one.name) for one in containers) or "nothing"


def deployed_count(containers: "Sequence[Container]") -> int:
    """Return how many replicas were deployed, of which these are left; 0 for none."""
    return max((int(one.labels.get(REPLICAS, "1")) for one in containers), default=0)


def failing(proxy: Proxy, live: "Sequence[Container]") -> "list[Container]":
    """Return the replicas that do not run, or, where there are several, do not answer."""
    return [
        one
        for one in live
        if one.status != "running"
        or (len(live) > 1 and proxy.ask(f"{address_of_replica(one)}/ready").status != OK)
    ]


def address_of_replica(container: "Container") -> str:
    """Return the address of a replica, as the proxy's container reaches it."""
    return f"http://{replica_of(container).host}:5001"
