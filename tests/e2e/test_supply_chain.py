"""What images hold, where they come from, and that unsigned ones are not deployed; on a real engine."""

import json
from pathlib import Path

import docker
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.e2e.conftest import images, service
from tests.fakes.docker_engine import IMAGE, Deployments, build, variant
from tests.fakes.signing import Keys, make_keys

__all__ = ["images", "service"]
pytestmark = pytest.mark.docker
BASE = "python:3.11-slim-bookworm"


@pytest.mark.parametrize(
    ("name", "packages", "models"),
    [
        (IMAGE, {"numpy", "pyarrow", "libgomp1"}, 1),
        (f"{IMAGE}-pipeline", {"lightgbm", "mlflow", "gcc"}, 0),
        ("light-model-proxy", {"nginx-light"}, 0),
    ],
)
def test_the_bill_of_an_image_lists_its_packages_and_model(
    service: Deployments, name: str, packages: set[str], models: int
) -> None:
    file = service.folder / "bill.json"
    ran = service.run("sbom", name, "--output", str(file))
    assert ran.code == 0, ran.err
    text = file.read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    image = docker.from_env().images.get(name)
    assert bill["metadata"]["component"]["bom-ref"] == image.id
    kinds = [one["type"] for one in bill["components"]]
    assert packages <= {one["name"] for one in bill["components"]}
    assert kinds.count("machine-learning-model") == models
    assert service.run("sbom", name).out == text


def test_the_models_hash_in_the_bill_is_the_one_in_its_manifest(service: Deployments) -> None:
    bill = json.loads(service.run("sbom", IMAGE).out)
    (model,) = [one for one in bill["components"] if one["type"] == "machine-learning-model"]
    inside = f"cat model/{model['version']}/manifest.json"
    manifest = docker.from_env().containers.run(IMAGE, ["sh", "-c", inside], remove=True)
    expected = json.loads(manifest)["files"]["model.joblib"]["sha256"]
    assert model["hashes"] == [{"alg": "SHA-256", "content": expected}]


def test_an_image_that_is_missing_leaves_no_file(service: Deployments) -> None:
    file = service.folder / "bill.json"
    ran = service.run("sbom", "light-model-of-nobody", "--output", str(file))
    assert (ran.code, file.exists()) == (78, False)
    assert "there is no image light-model-of-nobody" in ran.err


@pytest.mark.parametrize("name", [IMAGE, f"{IMAGE}-pipeline", "light-model-proxy"])
def test_images_say_what_they_were_made_from(images: str, name: str) -> None:
    assert images
    labels = docker.from_env().images.get(name).labels
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert labels["org.opencontainers.image.title"] == "light-model"
    assert labels["org.opencontainers.image.base.name"] == BASE
    if name != "light-model-proxy":  # which is the same for all commits that do not change it
        assert labels["org.opencontainers.image.revision"] == "c0ffee"
        assert "org.opencontainers.image.source" in labels


def test_the_same_commit_and_model_make_the_same_image(images: str) -> None:
    facts = ("--build-arg", "COMMIT=c0ffee", "--build-arg", "VERSION=7")
    build(*facts, "-t", f"{IMAGE}:again")
    known = docker.from_env().images
    assert known.get(f"{IMAGE}:again").id == known.get(images).id


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return make_keys(tmp_path / "keys", "cosign", "secret")


def sign(service: Deployments, keys: Keys, image: str) -> str:
    """Sign an image by the command, and return what it prints."""
    ran = service.run(
        "sign",
        image,
        LIGHTMODEL__DEPLOY__SIGNING_KEY=keys.private,
        LIGHTMODEL__DEPLOY__SIGNING_PASSWORD=keys.password,
    )
    assert ran.code == 0, ran.err
    assert keys.private.splitlines()[1] not in ran.out + ran.err
    return ran.out


def test_only_a_signed_image_is_deployed_and_an_unsigned_one_changes_nothing(
    images: str, service: Deployments, keys: Keys
) -> None:
    service.settings["require_signature"] = str(keys.public)
    for words in ([], ["--dry-run"]):
        refused = service.deploy("--image", images, *words)
        assert (refused.code, service.images()) == (74, {})
        assert "has no valid signature" in refused.err
        assert "lightmodel sign" in refused.err
    service.settings["signatures"] = sign(service, keys, images)
    deployed = service.deploy("--image", images)
    assert deployed.code == 0, deployed.err
    first = service.images()
    changed = variant("unsigned")
    assert service.deploy("--image", changed).code == 74
    assert service.images() == first
    assert service.version()


def test_a_rollback_and_the_monitor_need_no_signature(
    images: str, service: Deployments, keys: Keys
) -> None:
    service.settings["signatures"] = sign(service, keys, images)
    assert service.deploy("--image", images).code == 0
    assert service.deploy("--image", variant("later")).code == 0
    service.settings |= {"require_signature": str(keys.public), "signatures": ""}
    back = service.deploy("--rollback")
    assert back.code == 0, back.err
    assert service.images()[service.live()] == docker.from_env().images.get(images).id
