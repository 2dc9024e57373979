"""`python -m lightmodel flows`: the chain, tuning and drift as flows of Prefect."""

import json
import os
import sys
from pathlib import Path

import click

from lightmodel.cli.common import configured, settings
from lightmodel.config import Config, load
from lightmodel.config.environment import PROJECT, child_environment, service_environment
from lightmodel.config.load import as_toml
from lightmodel.errors import ConfigError
from lightmodel.flows.stages import VARIABLE, Job

_SUPERVISOR = Path(PROJECT, "lightmodel", "flows", "supervisor.py")
_NAMES = click.Choice(["chain", "tune", "drift"])
_PARAMETERS = {
    "chain": {"reason", "force", "settings"},
    "tune": {"trials", "timeout", "settings"},
    "drift": {"settings"},
}
_MAKE = (
    "`make prefect`, or anywhere: `python3 -m venv .venv-prefect && "
    ".venv-prefect/bin/python -m pip install -r requirements/prefect.txt`"
)
# Prefect's server and its client each report to their maker otherwise.
_NO_TELEMETRY = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


@click.group()
def flows() -> None:
    """Run the chain, tuning or drift as flows of Prefect.

    Prefect has an environment of its own: `make prefect`. It uses the server of PREFECT_API_URL; without
    that it starts its own, on SQLite, for as long as the command runs.
    """


@flows.command()
@settings
def serve(config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Offer the flows to Prefect's server, until Ctrl-C.

    The flows of flows.serve start on their schedules, and when somebody starts them on Prefect's page, one
    at a time.
    """
    _replace_process(config_file, sets, "serve")


@flows.command()
@click.argument("name", type=_NAMES)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the flow, such as force=true; repeatable. chain: reason, force, settings; "
    "tune: trials, timeout, settings; drift: settings.",
)
@settings
def run(
    name: str, parameters: tuple[str, ...], config_file: Path | None, sets: tuple[str, ...]
) -> None:
    """Run a flow now, and exit with its stage's code.

    A stage is tried again after exit code 75. Ctrl-C cancels the run, as Prefect's page does.
    """
    values = json.dumps(_values(name, parameters), default=str)
    _replace_process(config_file, sets, "run", name, values)


@flows.command(hidden=True)
@click.argument("name", type=_NAMES)
@configured
def results(config: Config, name: str) -> None:
    """Print what a flow made last as JSON, for Prefect's page."""
    from lightmodel.flows.artefacts import artefacts

    click.echo(json.dumps(artefacts(config, name)))


def _values(name: str, parameters: tuple[str, ...]) -> dict[str, object]:
    values: dict[str, object] = {}
    for item in parameters:
        key, equals, text = item.partition("=")
        if not equals or key not in _PARAMETERS[name]:
            known = ", ".join(sorted(_PARAMETERS[name]))
            raise click.UsageError(f"--parameter {item}: write NAME=VALUE, with a name of {known}")
        values[key] = as_toml(text)
    return values


def _replace_process(config_file: Path | None, sets: tuple[str, ...], *words: str) -> None:
    """Let Prefect's own Python go on in the place of this process."""
    config = load(config_file, sets).config
    python = config.flows.python
    if not python.is_file():
        raise ConfigError(
            f"Prefect has an environment of its own, and flows.python, {python}, is not there",
            hint=_MAKE,
        )
    variables = {**service_environment(config_file, sets), **_NO_TELEMETRY}
    variables.pop("PYTHONPATH", None)
    variables[VARIABLE] = _job(config).to_json()
    command = [str(python.absolute()), "-I", str(_SUPERVISOR), *words]
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(command[0], command, variables)  # noqa: S606 — no shell
    except OSError as error:
        raise ConfigError(
            f"{python} cannot be run: {error.strerror or error}", hint=_MAKE
        ) from error


def _job(config: Config) -> Job:
    section = config.flows
    environment = {
        "PYTHONPATH": child_environment({})["PYTHONPATH"],
        "LIGHTMODEL__LOGS__CONSOLE": "plain",  # Prefect's log has times and levels of its own
    }
    return Job(
        command=(sys.executable, "-m", "lightmodel"),
        environment=environment,
        project=str(Path.cwd()),
        folder=str((config.store.work / "flows").resolve()),
        schedules=section.schedules,
        time_zone=section.time_zone,
        name=section.name,
        port=section.port,
        retries=section.retries,
        retry_delay_s=section.retry_delay_s,
    )
