"""The units of deploy/systemd run commands that there are, as a user of their own."""

import shlex
from configparser import ConfigParser
from pathlib import Path

import click
import pytest

from lightmodel.cli import commands

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))


def unit(path: Path) -> ConfigParser:
    parser = ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names of systemd keep their case
    parser.read_string(path.read_text(encoding="utf-8"))
    return parser


def test_there_are_units() -> None:
    assert [path.name for path in UNITS] == ["light-model-watch.service"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_command_of_ours_with_options_that_it_has(path: Path) -> None:
    python, flag, package, name, *arguments = shlex.split(unit(path)["Service"]["ExecStart"])
    assert (Path(python).name, flag, package) == ("python", "-m", "lightmodel")
    command = commands.get_command(click.Context(commands), name)
    assert command
    assert command.make_context(name, arguments).params["every"] == 300


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_confined_to_the_clone(path: Path) -> None:
    service = unit(path)["Service"]
    assert service["User"] != "root"
    assert service["ProtectSystem"] == "strict"
    assert service["ReadWritePaths"] == service["WorkingDirectory"]
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
