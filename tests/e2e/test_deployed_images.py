"""The tags by which a service knows its deployed images, on a real engine with images that hold nothing."""

from collections.abc import Iterator

import docker
import pytest

from lightmodel.delivery.deployed_images import DeployedImages
from tests.fakes.docker_engine import build

pytestmark = pytest.mark.docker
BUILT = "lm-built"


@pytest.fixture
def service() -> Iterator[DeployedImages]:
    """Yield a service without images; whatever is tagged for it and its neighbours is removed."""
    client = docker.from_env()
    yield DeployedImages(client, "lm-one")
    for name in (BUILT, "lm-one", "lm-other"):
        for tag in tags_of(name):
            client.images.remove(tag, force=True)


def tags_of(name: str) -> set[str]:
    """Return the tags of the images of this name, which may have tags of other names too."""
    images = docker.from_env().images.list(name)
    return {tag for image in images for tag in image.tags if tag.rpartition(":")[0] == name}


def built(tag: str) -> str:
    """Build an image that holds nothing, and return its name."""
    build("-t", f"{BUILT}:{tag}", dockerfile=f"FROM scratch\nLABEL number={tag}\n")
    return f"{BUILT}:{tag}"


def deploy(service: DeployedImages, name: str) -> str:
    """Do what a deployment does with the tags, and return the image's id."""
    image = service.client.images.get(name)
    service.begin(image)
    service.finish(image)
    return str(image.id)


def previous(service: DeployedImages) -> str:
    image = service.previous()
    return str(image.id) if image else ""


def test_the_previous_image_is_the_one_that_answered_before(service: DeployedImages) -> None:
    names = [built(tag) for tag in ("1", "2")]
    first = deploy(service, names[0])
    assert previous(service) == ""
    second = deploy(service, names[1])
    assert previous(service) == first
    deploy(service, names[1])  # with other settings
    assert previous(service) == first
    deploy(service, names[0])  # a rollback
    assert (previous(service), service.client.images.get(service.live).id) == (second, first)
    assert len(tags_of("lm-one")) == 3  # live, and the time of the last deployment of each


def test_deployments_that_failed_or_were_killed_are_not_gone_back_to(
    service: DeployedImages,
) -> None:
    names = [built(tag) for tag in ("1", "2", "failed", "killed")]
    first, second = (deploy(service, name) for name in names[:2])
    failed, killed = (service.client.images.get(name) for name in names[2:])
    service.discard(failed, service.begin(failed))
    service.begin(killed)
    assert (previous(service), service.client.images.get(service.live).id) == (first, second)
    deploy(service, names[0])
    assert previous(service) == second
    assert {service.client.images.get(tag).id for tag in tags_of("lm-one")} == {first, second}


def test_an_image_without_another_name_survives_its_failed_deployment(
    service: DeployedImages,
) -> None:
    name = built("1")
    image = service.client.images.get(name)
    reference = service.begin(image)
    service.client.images.remove(name)
    service.discard(image, reference)
    assert service.client.images.get(str(image.id)).id == image.id


def test_what_an_earlier_release_deployed_can_be_gone_back_to(service: DeployedImages) -> None:
    first, second = (built(tag) for tag in ("1", "2"))
    service.client.images.get(first).tag("lm-one", "live")  # all that it recorded
    deploy(service, second)
    assert previous(service) == service.client.images.get(first).id


def test_only_a_services_own_old_images_are_removed(service: DeployedImages) -> None:
    names = [built(str(number)) for number in range(5)]
    never_deployed, latest = built("never"), f"{BUILT}:latest"
    service.client.images.get(names[1]).tag(BUILT, "latest")
    deploy(DeployedImages(service.client, "lm-other"), names[2])
    for name in names:
        deploy(service, name)
    service.retire(1)
    assert tags_of(BUILT) == {never_deployed, latest, *names[1:]}
    kept = {service.client.images.get(name).id for name in names[3:]}
    assert {service.client.images.get(tag).id for tag in tags_of("lm-one")} == kept
    assert len(tags_of("lm-other")) == 2
