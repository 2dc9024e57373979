"""deploy/azure (Terraform) describes the same resources as the command `deploy azure` makes."""

import re
from pathlib import Path
from typing import Any

import hcl2

from lightmodel.cli.alerts import alerts
from lightmodel.config import AzureSection, ServeSection
from lightmodel.delivery import azure_resources
from lightmodel.delivery.azure_resources import DesiredSite, app_settings

ROOT = Path(__file__).parents[2]


def plain(value: Any) -> Any:
    """Return the parser's value without the quotes that it leaves on strings."""
    if isinstance(value, str):
        return value.strip('"')
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def parsed(name: str) -> dict[str, Any]:
    with (ROOT / "deploy" / "azure" / name).open(encoding="utf-8") as file:
        content: dict[str, Any] = plain(hcl2.load(file))
    return content


def resource(kind: str) -> dict[str, Any]:
    for one in parsed("main.tf")["resource"]:
        if kind in one:
            (content,) = one[kind].values()
            return dict(content)
    raise AssertionError(kind)


def test_the_variables_are_the_settings_with_their_defaults() -> None:
    variables = {
        name: body for one in parsed("variables.tf")["variable"] for name, body in one.items()
    }
    fields = AzureSection.model_fields.keys() - {"management"}
    assert variables.keys() - {"environment"} == fields
    for name in fields:
        default = getattr(AzureSection(), name)
        assert variables[name].get("default", "") == default or default == ""


def test_port_health_and_settings_are_those_of_the_command() -> None:
    (local,) = parsed("main.tf")["locals"]
    assert local["port"] == azure_resources.PORT
    text = (ROOT / "deploy" / "azure" / "main.tf").read_text(encoding="utf-8")
    given = app_settings(600, DesiredSite("", "", {"LIGHTMODEL__SERVE__PROXIES": "1"}))
    assert all(name in text for name in given)
    for kind in ("azurerm_linux_web_app", "azurerm_linux_web_app_slot"):
        (config,) = resource(kind)["site_config"]
        assert config["health_check_path"] == "/ready"
        assert config["http2_enabled"] is True
        assert config["container_registry_use_managed_identity"] is True


def test_everything_agrees_on_the_port() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    exposed = set(re.findall(r"^EXPOSE (\d+)", dockerfile, re.MULTILINE))
    receiver = {option.name: option.default for option in alerts.params}
    assert exposed == {str(ServeSection().port), str(receiver["port"])}
    assert str(ServeSection().port) == azure_resources.PORT
