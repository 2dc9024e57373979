"""The command line: parse the arguments, run the command, and turn errors into exit codes."""

import atexit
import difflib
import gc
import logging
import os
import sys
from importlib import import_module

import click

from lightmodel import __version__, errors
from lightmodel.interruption import keep_interrupts

logger = logging.getLogger(__name__)

BUG, USAGE, INTERRUPTED = 1, 2, 130
EXIT_CODES: dict[type[errors.LightModelError], int] = {
    errors.QualityGateFailed: 10,
    errors.DeployFailed: 11,
    errors.NotReproduced: 12,
    errors.NoVerdict: 13,
    errors.DataError: 65,
    errors.ContractViolation: 65,
    errors.DriftExceeded: 65,
    errors.TooLarge: 65,
    errors.ArtefactMissing: 66,
    errors.ChangeRefused: 66,
    errors.ArtefactCorrupt: 74,
    errors.StorageFull: 74,
    errors.SourceUnavailable: 75,
    errors.QuotaExceeded: 75,
    errors.AlreadyRunning: 75,
    errors.ConfigError: 78,
    errors.ReadOnlyStore: 78,
    errors.NotPossible: 78,
}
MEANINGS = {
    0: "success: the newest candidate is approved",
    BUG: "a bug in light-model; the log holds the traceback",
    USAGE: "invalid command-line arguments",
    10: "quality gate failed, or live quality is below its bound; the served model is unchanged",
    11: "deployment rolled back: the new version failed its smoke test",
    12: "the retrained model differs from the original; the differences are listed",
    13: "no verdict: too few rows were answered or labelled",
    65: "the table cannot be used, or requests have drifted; report it to the data's owner",
    66: "a split, model or verdict is missing; run the earlier stages first",
    74: "an artefact is damaged, or the disk is full; the served model is unchanged",
    75: "an external service does not answer, or another run is in progress; try again later",
    78: "a setting is invalid, or something that it needs is not installed",
    INTERRUPTED: "interrupted; the next run resumes",
}
# Group → command → its module, which is imported only when the command is called, and its summary.
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Run": {
        "run": ("run", "Run the chain, or some of its stages."),
        "logs": ("logs", "Print the log of a run."),
        "retry": ("run", "Search for parameters that pass the quality gate."),
        "flows": ("flows", "Run the chain, tuning or drift as flows of Prefect."),
        "serve": ("service", "Serve the newest approved model."),
        "console": ("console", "Show the console, a front end in a browser."),
        "stream": ("stream", "Score a stream of records."),
        "score": ("score", "Score a file, a glob, a folder or an address."),
    },
    "Models": {
        "models": ("models", "List, inspect, promote, roll back or mirror versions."),
        "reproduce": ("run", "Retrain a version, and compare it byte for byte."),
        "runtime": ("models", "Print the runtime that a model needs."),
        "tracking": ("tracking", "List or upload the runs queued for MLflow."),
    },
    "Develop": {
        "compare": ("compare", "Compare learners on the same folds."),
        "tune": ("tune", "Search for better parameters with Optuna."),
        "docs": ("docs", "Generate documentation and examples from the code."),
    },
    "Deploy": {
        "deploy": ("deploy", "Deploy an image, or roll back."),
        "sign": ("supply", "Sign an image of the Docker engine."),
        "sbom": ("supply", "Write an image's bill of materials (CycloneDX)."),
        "smoke": ("service", "Check a running service with sample rows."),
        "monitor": ("deploy", "Restart the deployed service when it fails."),
        "webhook": ("deploy", "Trigger Jenkins on each push to GitHub."),
        "notify": ("deploy", "Send a notification."),
    },
    "Watch": {
        "watch": ("watch_loop", "Train again when there is a reason."),
        "drift": ("watch", "Compare recent requests with training."),
        "live": ("watch", "Print live metrics of each model version."),
        "alerts": ("alerts", "Send alerts of Prometheus to the receivers."),
        "feedback": ("service", "Join labels that arrived later to predictions."),
        "export": ("service", "Write the prediction log as CSV."),
        "prune": ("service", "Delete old rows of the prediction log."),
    },
}
_MODULE_OF = {name: module for group in GROUPS.values() for name, (module, _) in group.items()}
_HELP = ["-h", "--help"]
_RENAMED_COMMANDS = {"truth": "feedback"}  # old names, valid until release 0.2


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands, group by group."""
        return [*super().list_commands(context), *_MODULE_OF]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command, imported from its module."""
        name = _RENAMED_COMMANDS.get(name, name)
        if name not in _MODULE_OF:
            return super().get_command(context, name)
        gc.disable()  # next to nothing of what is imported becomes garbage: a tenth of the time
        try:
            module = import_module(f"{__name__}.{_MODULE_OF[name]}")
        finally:
            gc.enable()
        command: click.Command = getattr(module, name)
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return a command and its arguments; a misspelt one is answered with the closest name."""
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], self.list_commands(context), n=1)
            if not close:
                raise
            raise click.UsageError(
                f"{error.message} Did you mean '{close[0]}'?", context
            ) from error

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group without importing the modules of the commands."""
        del context
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, summary) for name, (_, summary) in group.items()])


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="light-model")
def commands() -> None:
    """Turn a table into a tested, deployed prediction model.

    Name the table in config.toml (data.source, data.target); `run` trains and tests a model, `serve`
    answers requests with it. COMMAND --help says more, `run --exit-codes` what exit codes mean.
    """


def main(*command: str) -> None:
    """Run the arguments of the process, after those of `command`, and exit with the command's code."""
    keep_interrupts()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.captureWarnings(capture=True)
    atexit.register(gc.freeze)  # or Python searches all that was imported for garbage, to end then
    script = sys.argv[0].rpartition("/")[2]
    name = script if command or script == "light-model" else "python -m lightmodel"
    # The help of a script such as run.py names no command, for its users write none.
    called = commands.get_command(click.Context(commands), command[0]) if command else None
    code = _run_command(called or commands, [*command[1:], *sys.argv[1:]], name)
    if "ngrok" in sys.modules:
        _exit_immediately(code)
    sys.exit(code)


def _exit_immediately(code: int) -> None:
    """Exit without Python's clean-up, which can crash the threads of ngrok's agent."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run_command(command: click.Command, arguments: list[str], name: str) -> int:
    """Return the exit code of a command; an error that a user can fix is shown as message and hint."""
    try:
        command(arguments, prog_name=name, standalone_mode=False, help_option_names=_HELP)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; the next run resumes", err=True)
        return INTERRUPTED
    except errors.LightModelError as error:
        _show(error)
        return exit_code(error)
    except Exception:
        logger.exception("this is a bug in light-model; please report it")
        return BUG
    return 0


def _show(error: errors.LightModelError) -> None:
    """Print message and hint, or log them as an event where the console gets JSON."""
    forms = [getattr(handler.formatter, "form", "") for handler in logging.getLogger().handlers]
    if "json" in forms:
        logger.error("%s", error.message, extra={"hint": error.hint})
        return
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


def exit_code(error: errors.LightModelError) -> int:
    """Return the exit code of an error: 1, as for a bug, where its class has none."""
    return EXIT_CODES.get(type(error), BUG)
