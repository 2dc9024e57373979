"""`deploy azure`: Azure's SDK against a fake Azure that really starts the images."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from benchmarks.ports import free_port
from tests.fakes.azure import Azure, azure
from tests.fakes.docker_engine import ANSWERS_WRONGLY, ENDS_AT_ONCE, IMAGE, variant
from tests.fakes.project import ROOT, Ran

pytestmark = [pytest.mark.docker, pytest.mark.appservice]


@dataclass(frozen=True)
class Cloud:
    """The fake Azure, and the command that deploys to it."""

    azure: Azure
    folder: Path

    def deploy(self, *words: str, **more: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "lightmodel", "deploy", "azure", *words],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "LIGHTMODEL__AZURE__START_TIMEOUT_S": "120",
                **self.azure.environment,
                **more,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    @property
    def address(self) -> str:
        (production,) = [
            place for path, place in self.azure.places.items() if "/slots/" not in path
        ]
        return f"https://localhost:{production.port}"

    def image(self) -> str:
        return next(
            place.image for path, place in self.azure.places.items() if "/slots/" not in path
        )

    def get(self, path: str) -> requests.Response:
        bundle = str(self.azure.folder / "ca.pem")
        return requests.get(self.address + path, verify=bundle, timeout=30)


@pytest.fixture
def cloud(images: str, host: str, tmp_path: Path) -> Iterator[Cloud]:
    assert images
    with azure(tmp_path / "azure", host) as state:
        yield Cloud(state, tmp_path)


def test_from_nothing_to_a_public_address_and_then_nothing_to_do(cloud: Cloud) -> None:
    first = cloud.deploy("--image", IMAGE)
    assert (first.code, "answers now" in first.out) == (0, True), first.err
    assert cloud.get("/ready").ok
    assert "@sha256:" in cloud.image()
    before = [one for one in cloud.azure.asked if one[0] == "PUT"]
    again = cloud.deploy("--image", IMAGE)
    assert (again.code, "nothing was changed" in again.out) == (0, True), again.err
    assert [one for one in cloud.azure.asked if one[0] == "PUT"] == before


def test_the_web_app_is_set_up_as_the_service_needs_it(cloud: Cloud) -> None:
    assert cloud.deploy("--image", IMAGE).code == 0
    (place,) = cloud.azure.places.values()
    config = place.content["properties"]["siteConfig"]
    assert place.settings["WEBSITES_PORT"] == place.settings["PORT"] == "5001"
    assert config["healthCheckPath"] == "/ready"
    assert config["acrUseManagedIdentityCreds"] is True
    assert config["alwaysOn"] is True
    assert place.content["properties"]["httpsOnly"] is True
    assert cloud.azure.assigned == {place.principal}


def test_without_the_port_setting_nothing_is_found_to_answer(cloud: Cloud) -> None:
    cloud.azure.forgets = "WEBSITES_PORT"
    done = cloud.deploy("--image", IMAGE, LIGHTMODEL__AZURE__START_TIMEOUT_S="3")
    assert (done.code, "503" in done.err) == (11, True), done.err
    assert cloud.get("/ready").status_code == 503


@pytest.mark.parametrize("sku", ["B1", "S1"])
def test_a_new_version_takes_over_and_rollback_brings_the_old_one_back(
    cloud: Cloud, sku: str
) -> None:
    plan = {"LIGHTMODEL__AZURE__SKU": sku}
    assert cloud.deploy("--image", IMAGE, **plan).code == 0
    first = cloud.image()
    done = cloud.deploy("--image", variant("second"), **plan)
    assert done.code == 0, done.err
    second = cloud.image()
    assert second != first
    swapped = [path for method, path in cloud.azure.asked if path.endswith("/slotsswap")]
    assert bool(swapped) == (sku == "S1")
    back = cloud.deploy("--rollback", **plan)
    assert back.code == 0, back.err
    assert cloud.image() == first
    assert cloud.get("/ready").ok


@pytest.mark.parametrize("sku", ["B1", "S1"])
@pytest.mark.parametrize(
    ("name", "wrong", "timeout_s", "message"),
    [
        ("ends", ENDS_AT_ONCE, 5, "503"),
        ("wrong", ANSWERS_WRONGLY, 30, "differ from the stored scores"),
    ],
)
def test_a_version_that_fails_is_rolled_back(
    cloud: Cloud, sku: str, name: str, wrong: str, timeout_s: int, message: str
) -> None:
    plan = {"LIGHTMODEL__AZURE__SKU": sku}
    assert cloud.deploy("--image", IMAGE, **plan).code == 0
    before = cloud.image()
    waits = {**plan, "LIGHTMODEL__AZURE__START_TIMEOUT_S": str(timeout_s)}
    done = cloud.deploy("--image", variant(name, wrong), **waits)
    assert (done.code, message in done.err) == (11, True), done.err
    assert cloud.image() == before
    assert cloud.get("/ready").ok


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(cloud: Cloud) -> None:
    done = cloud.deploy("--image", IMAGE, "--dry-run")
    assert done.code == 0, done.err
    assert done.out.count("create ") == 4
    assert not [one for one in cloud.azure.asked if one[0] in {"PUT", "POST"}]
    assert cloud.deploy("--image", IMAGE).code == 0
    assert cloud.deploy("--image", IMAGE, "--dry-run").out.count("keep ") == 4


def test_a_wrong_secret_is_reported_and_not_printed(cloud: Cloud) -> None:
    done = cloud.deploy("--image", IMAGE, AZURE_CLIENT_SECRET="not-the-secret")
    assert (done.code, "rejects the credentials" in done.err) == (78, True), done.err
    assert "not-the-secret" not in done.err


def test_an_unreachable_azure_is_retryable(cloud: Cloud) -> None:
    nowhere = f"https://localhost:{free_port()}"
    done = cloud.deploy("--image", IMAGE, LIGHTMODEL__AZURE__MANAGEMENT=nowhere)
    assert (done.code, "does not answer" in done.err) == (75, True), done.err


@pytest.mark.parametrize("name", ["subscription", "registry", "app"])
def test_a_name_that_is_not_set_is_named(cloud: Cloud, name: str) -> None:
    done = cloud.deploy("--image", IMAGE, **{f"LIGHTMODEL__AZURE__{name.upper()}": ""})
    assert (done.code, f"azure.{name} is not set" in done.err) == (78, True), done.err
