"""The bill of materials of an image."""

import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from lightmodel.delivery.image_contents import ImageContents, read_image
from lightmodel.delivery.sbom import bill_of_materials
from lightmodel.errors import ConfigError
from tests.fakes.engine import Container, Engine, Image

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image as DockersImage

PACKAGES = "opt/venv/lib/python3.11/site-packages"
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc
Version: 2.36-9+deb12u13

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
SYSTEM = 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="12"\n'
FILES = {
    f"{PACKAGES}/flask-3.1.3.dist-info/METADATA": (
        "Name: Flask\nVersion: 3.1.3\nSummary: A framework.\nLicense-Expression: BSD-3-Clause\n\nText."
    ),
    f"{PACKAGES}/old_one-1.dist-info/METADATA": (
        "Name: old_one\nVersion: 1\nClassifier: License :: OSI Approved :: MIT License\n"
    ),
    f"{PACKAGES}/long-1.dist-info/METADATA": f"Name: long\nVersion: 1\nLicense: {'words ' * 99}\n",
    f"{PACKAGES}/flask/METADATA": "Name: not-a-package\nVersion: 1\n",
    "usr/lib/os-release": SYSTEM,
    "var/lib/dpkg/status": STATUS,
    "app/model/20260101T000000Z-aaaaaa/model.joblib": "the model" * 1000,
    "app/model/20260101T000000Z-aaaaaa/manifest.json": "{}",
}
LABELS = {
    "light-model.service": "serve",
    "org.opencontainers.image.title": "light-model",
    "org.opencontainers.image.revision": "c0ffee",
}


def contents(labels: dict[str, str], files: dict[str, str]) -> ImageContents:
    image = Image(b"{}", labels, files={name: content.encode() for name, content in files.items()})
    client = cast("DockerClient", Engine({"shop": image}))
    return read_image(client, cast("DockersImage", image))


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(bill_of_materials(contents(LABELS, FILES)))
    return made


def component(bill: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = [one for one in bill["components"] if one["name"] == name]
    return cast("dict[str, Any]", one)


@pytest.mark.parametrize(
    ("labels", "files"), [(LABELS, FILES), ({}, {})], ids=["serving image", "unlabelled and empty"]
)
def test_it_keeps_to_the_schema_of_cyclonedx(labels: dict[str, str], files: dict[str, str]) -> None:
    text = bill_of_materials(contents(labels, files))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_is_about_the_image_with_its_labels(bill: dict[str, Any]) -> None:
    subject = bill["metadata"]["component"]
    image = Image(b"{}", LABELS)
    assert (subject["type"], subject["name"]) == ("container", "light-model")
    assert subject["hashes"] == [{"alg": "SHA-256", "content": image.id.removeprefix("sha256:")}]
    properties = {one["name"]: one["value"] for one in subject["properties"]}
    assert properties["docker:image:id"] == image.id
    assert properties["docker:label:org.opencontainers.image.revision"] == "c0ffee"


def test_images_of_other_services_are_told_apart_by_name() -> None:
    labels = {**LABELS, "light-model.service": "proxy"}
    made = json.loads(bill_of_materials(contents(labels, {})))
    assert made["metadata"]["component"]["name"] == "light-model-proxy"


def test_packages_of_python_have_version_url_and_licence(bill: dict[str, Any]) -> None:
    flask = component(bill, "Flask")
    assert (flask["version"], flask["purl"]) == ("3.1.3", "pkg:pypi/flask@3.1.3")
    assert flask["licenses"][0]["license"]["id"] == "BSD-3-Clause"
    old = component(bill, "old_one")
    assert old["purl"] == "pkg:pypi/old-one@1"
    assert old["licenses"][0]["license"]["name"] == "MIT License"
    assert "licenses" not in component(bill, "long")
    assert "not-a-package" not in {one["name"] for one in bill["components"]}


def test_packages_of_debian_that_are_installed_are_listed(bill: dict[str, Any]) -> None:
    libc = component(bill, "libc6")
    assert libc["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64&distro=debian-12"
    assert libc["properties"] == [{"name": "debian:source", "value": "glibc"}]
    assert component(bill, "debian")["type"] == "operating-system"
    assert "removed" not in {one["name"] for one in bill["components"]}


def test_the_model_is_a_component_with_its_hash(bill: dict[str, Any]) -> None:
    model = component(bill, "model")
    digest = hashlib.sha256(b"the model" * 1000).hexdigest()
    assert (model["type"], model["version"]) == (
        "machine-learning-model",
        "20260101T000000Z-aaaaaa",
    )
    assert model["hashes"] == [{"alg": "SHA-256", "content": digest}]


def test_the_same_image_has_the_same_bill_and_another_one_another() -> None:
    first = bill_of_materials(contents(LABELS, FILES))
    assert first == bill_of_materials(contents(LABELS, dict(reversed(FILES.items()))))
    image = Image(b"{}", LABELS, content="another")
    client = cast("DockerClient", Engine({"shop": image}))
    other = bill_of_materials(read_image(client, cast("DockersImage", image)))
    assert json.loads(first)["serialNumber"] != json.loads(other)["serialNumber"]


def test_without_the_library_the_error_says_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cyclonedx.output", None)
    with pytest.raises(ConfigError, match="cyclonedx-python-lib") as caught:
        bill_of_materials(contents({}, {}))
    assert "requirements/sbom.txt" in caught.value.hint


def test_containers_that_killed_processes_left_are_removed_when_they_have_expired() -> None:
    image = Image(b"{}", {})
    expired, read_now = (
        Container(image, {"light-model.until": until}) for until in ("1", "99999999999")
    )
    engine = Engine({"shop": image}, left=[expired, read_now])
    read_image(cast("DockerClient", engine), cast("DockersImage", image))
    assert (expired.removed, read_now.removed) == (True, False)
