"""The console as an application: the options of Streamlit, what importing does, and the command."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import lightmodel.cli.console
from lightmodel.cli.console import console
from lightmodel.config import ConsoleSection, load
from lightmodel.console.theme import DARK, LIGHT, colours_of, streamlit_options, styles
from lightmodel.errors import ConfigError
from tests.fakes.project import ROOT

IMPORTS = """
import os, pkgutil, sys
from importlib import import_module
import lightmodel.console
os.environ.clear()
before = set(os.listdir("."))
for module in pkgutil.walk_packages(lightmodel.console.__path__, "lightmodel.console."):
    import_module(module.name)
import logging
assert set(os.listdir(".")) == before, "importing wrote files"
assert not logging.getLogger().handlers, "importing configured logging"
heavy = {"lightgbm", "mlflow", "sklearn", "pandas", "altair", "flask"} & set(sys.modules)
assert not heavy, heavy
"""
OPTIONS = """
from lightmodel.console.app import create_app
create_app()
from streamlit import config
for name in ("browser.gatherUsageStats", "server.enableXsrfProtection", "server.fileWatcherType",
             "server.headless", "server.baseUrlPath", "theme.light.primaryColor"):
    print(name, config.get_option(name))
"""


def python(code: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.console
def test_importing_the_console_opens_nothing_and_loads_nothing_of_the_chain(tmp_path: Path) -> None:
    done = python(IMPORTS, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.console
def test_streamlit_tells_nobody_and_looks_as_the_service_does(tmp_path: Path) -> None:
    folder = str(tmp_path / "answers")
    done = python(
        OPTIONS,
        tmp_path,
        LIGHTMODEL__CONSOLE__BASE_PATH="/team/console/",
        LIGHTMODEL__CONSOLE__FOLDER=folder,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "browser.gatherUsageStats False",
        "server.enableXsrfProtection True",
        "server.fileWatcherType none",
        "server.headless True",
        "server.baseUrlPath team/console",
        f"theme.light.primaryColor {LIGHT.one}",
    ]


def test_the_colours_are_those_of_the_services_page() -> None:
    page = (ROOT / "lightmodel" / "service" / "static" / "page.css").read_text("utf-8")
    light, dark = page.split("prefers-color-scheme: dark", 1)
    for css, colours in ((light, LIGHT), (dark, DARK)):
        for name in ("page", "card", "ink", "muted", "line", "edge", "one", "two", "below", "bad"):
            assert f"--{name}: {getattr(colours, name)};" in css
    assert colours_of("dark") is DARK
    assert colours_of(None) is LIGHT
    assert f"--lm-one-ink: {DARK.one_ink};" in styles(DARK)
    assert streamlit_options(ConsoleSection())["theme.dark.backgroundColor"] == DARK.page


def test_without_streamlit_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lightmodel.cli.console, "find_spec", lambda _name: None)
    result = CliRunner().invoke(console, [])
    assert isinstance(result.exception, ConfigError)
    assert "requirements/console.txt" in result.exception.hint


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("console.service_url=127.0.0.1:5001", "write the address of the service"),
        ("console.service_url=http://user:password@host", "a key is not part of it"),
        ("console.base_path=a b", "write a path such as console"),
        ("console.port=0", "greater than or equal to 1"),
    ],
)
def test_invalid_settings_are_reported_before_anything_starts(setting: str, message: str) -> None:
    result = CliRunner().invoke(console, ["--set", setting])
    assert isinstance(result.exception, ConfigError)
    assert message in result.exception.message
    assert "password@" not in result.exception.message


def test_a_port_in_use_is_reported_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lightmodel.cli.console, "find_spec", lambda _name: object())
    monkeypatch.setattr("lightmodel.cli.ports._PORT_PAUSE_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(console, ["--port", str(port)])
    assert isinstance(result.exception, ConfigError)
    assert result.exception.message == f"port {port} is in use by another process"
    assert f"--set console.port={port + 1}" in result.exception.hint


def test_addresses_lose_their_last_slash() -> None:
    config = load(None, ["console.service_url=http://host/prefix/", "console.base_path=/a/"], {})
    assert config.config.console.service_url == "http://host/prefix"
    assert config.config.console.base_path == "a"
