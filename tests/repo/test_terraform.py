"""deploy/azure (Terraform) describes the same resources as the command `deploy azure` makes."""

import re
from pathlib import Path
from typing import Any

from lightmodel.cli.alerts import alerts
from lightmodel.config import AzureSection, ConsoleSection, ServeSection
from lightmodel.delivery import azure_resources
from lightmodel.delivery.azure_resources import DesiredSite, app_settings
from tests.fakes.hcl import DEPLOY, blocks, parsed, text_of

ROOT = Path(__file__).parents[2]


AZURE = DEPLOY / "azure"


def resource(name: str) -> dict[str, Any]:
    return blocks(AZURE, "resource")[name]


def test_the_variables_are_the_settings_with_their_defaults() -> None:
    variables = blocks(AZURE, "variable")
    fields = AzureSection.model_fields.keys() - {"management"}
    assert variables.keys() - {"environment"} == fields
    for name in fields:
        default = getattr(AzureSection(), name)
        assert variables[name].get("default", "") == default or default == ""


def test_port_health_and_settings_are_those_of_the_command() -> None:
    (local,) = parsed(AZURE / "main.tf")["locals"]
    assert local["port"] == azure_resources.PORT
    text = text_of(AZURE)
    given = app_settings(600, DesiredSite("", "", {"LIGHTMODEL__SERVE__PROXIES": "1"}))
    assert all(name in text for name in given)
    for name in ("azurerm_linux_web_app.this", "azurerm_linux_web_app_slot.staging"):
        (config,) = resource(name)["site_config"]
        assert config["health_check_path"] == "/ready"
        assert config["http2_enabled"] is True
        assert config["container_registry_use_managed_identity"] is True


def test_everything_agrees_on_the_port() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    exposed = set(re.findall(r"^EXPOSE (\d+)", dockerfile, re.MULTILINE))
    receiver = {option.name: option.default for option in alerts.params}
    ports = (ServeSection().port, ConsoleSection().port, receiver["port"])
    assert exposed == set(map(str, ports))
    assert str(ServeSection().port) == azure_resources.PORT
