"""The command line: arguments in, work done, errors turned into exit codes."""

import difflib
import logging
import os
import sys
from importlib import import_module

import click

from lightmodel import __version__, errors

logger = logging.getLogger(__name__)

BUG, USAGE, INTERRUPTED = 1, 2, 130
EXIT_CODES: dict[type[errors.LightModelError], int] = {
    errors.QualityGateFailed: 10,
    errors.DeployFailed: 11,
    errors.NotReproduced: 12,
    errors.DataError: 65,
    errors.ContractViolation: 65,
    errors.DriftExceeded: 65,
    errors.TooLarge: 65,
    errors.ArtefactMissing: 66,
    errors.ArtefactCorrupt: 74,
    errors.StorageFull: 74,
    errors.SourceUnavailable: 75,
    errors.QuotaExceeded: 75,
    errors.AlreadyRunning: 75,
    errors.ConfigError: 78,
    errors.NotPossible: 78,
}
MEANINGS = {
    0: "success: the newest candidate is approved",
    BUG: "a bug: the traceback says where",
    USAGE: "wrong usage of the command line",
    10: "quality gate failed; the served model is unchanged",
    11: "deployment rolled back: the new version failed its smoke test",
    12: "the retrained model differs from the original; the differences are listed",
    65: "the table cannot be used; tell its owner",
    66: "an earlier stage did not run",
    74: "an artefact is damaged, or the disk is full; the served model is unchanged",
    75: "an external service does not answer, or another run is in progress; try again later",
    78: "a setting is wrong",
    INTERRUPTED: "interrupted; the next run resumes",
}
# Groups of commands: name, the module that is imported when it is asked for, what --help says of it.
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Run": {
        "run": ("run", "Run the chain, or the stages named."),
        "retry": ("run", "Search for parameters that pass the quality gate."),
        "serve": ("service", "Serve the newest approved model."),
    },
    "Models": {
        "models": ("models", "List the model versions; show, roll back, mirror them."),
        "reproduce": ("run", "Train a version again, and compare byte for byte."),
        "runtime": ("models", "Print the runtime that a model needs."),
        "tracking": ("tracking", "Show or upload the queue of runs for MLflow."),
    },
    "Develop": {
        "compare": ("compare", "Compare learners on the same folds."),
        "tune": ("tune", "Search for better parameters with Optuna."),
        "docs": ("docs", "Write the pages that are made from the code."),
    },
    "Deploy": {
        "deploy": ("deploy", "Bring an image into service, or roll back."),
        "smoke": ("service", "Check a running service with sample rows."),
        "monitor": ("deploy", "Restart the deployed service where it is dead."),
        "webhook": ("deploy", "Bring pushes at GitHub to Jenkins."),
        "notify": ("deploy", "Send a notification."),
    },
    "Watch": {
        "live": ("service", "Print live metrics of each model version."),
        "feedback": ("service", "Join labels that arrived later to predictions."),
        "export": ("service", "Write the prediction log as CSV."),
    },
}
_MODULE_OF = {name: module for group in GROUPS.values() for name, (module, _) in group.items()}
_RENAMED = {"truth": "feedback"}  # old names, valid until release 0.2


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands, group by group."""
        return [*super().list_commands(context), *_MODULE_OF]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command, from its module."""
        name = _RENAMED.get(name, name)
        if name not in _MODULE_OF:
            return super().get_command(context, name)
        command: click.Command = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
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
        """Write a section for each group; no command's module is imported for it."""
        del context
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, summary) for name, (_, summary) in group.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="light-model")
def commands() -> None:
    """A table in, a tested and served prediction model out."""


def main(*words: str) -> None:
    """Run the command that `words` and the process's arguments name, and exit with its code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.captureWarnings(capture=True)
    door = sys.argv[0].rpartition("/")[2]
    name = door if words or door == "light-model" else "python -m lightmodel"
    code = _guarded([*words, *sys.argv[1:]], name)
    if "ngrok" in sys.modules:
        _leave_at_once(code)
    sys.exit(code)


def _leave_at_once(code: int) -> None:
    """End without Python's own clean-up, which the threads of ngrok's agent do not always survive."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _guarded(arguments: list[str], name: str) -> int:
    """Run a command; every error that a user can mend becomes a message, a hint and a code."""
    try:
        commands(arguments, prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; the next run resumes", err=True)
        return INTERRUPTED
    except errors.LightModelError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        return exit_code(error)
    except Exception:
        logger.exception("this is a bug of light-model, not of yours; please report it")
        return BUG
    return 0


def exit_code(error: errors.LightModelError) -> int:
    """Return the code of an error."""
    return EXIT_CODES.get(type(error), BUG)
