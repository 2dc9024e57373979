"""How a web app should be, by its plan."""

import pytest

from lightmodel.delivery.azure_resources import DesiredSite, app_settings, has_slots


@pytest.mark.parametrize(
    ("sku", "slots"),
    [("F1", False), ("D1", False), ("B3", False), ("S1", True), ("P1v3", True), ("I2v2", True)],
)
def test_slots_are_there_from_standard_on(sku: str, slots: bool) -> None:
    assert has_slots(sku) == slots


def test_the_ports_cannot_be_overridden_by_the_services_environment() -> None:
    desired = DesiredSite("image", "", {"WEBSITES_PORT": "80", "LIGHTMODEL__LOG__SINK": "none"})
    settings = app_settings(600, desired)
    assert settings["WEBSITES_PORT"] == "5001"
    assert settings["LIGHTMODEL__LOG__SINK"] == "none"
