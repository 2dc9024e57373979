"""The command line: arguments in, work done, errors turned into exit codes."""

import logging
import os
import sys

import click

from lightmodel import __version__
from lightmodel.cli.compare import compare
from lightmodel.cli.deploy import deploy, monitor, notify, webhook
from lightmodel.cli.docs import docs
from lightmodel.cli.exits import BUG, INTERRUPTED, exit_code
from lightmodel.cli.feedback import export, live, truth
from lightmodel.cli.models import models, runtime
from lightmodel.cli.run import reproduce, retry, run
from lightmodel.cli.serve import serve, smoke
from lightmodel.cli.tracking import tracking
from lightmodel.cli.tune import tune
from lightmodel.errors import LightModelError

logger = logging.getLogger(__name__)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="light-model")
def commands() -> None:
    """A table in, a tested and served prediction model out."""


_CHAIN = (run, retry, reproduce, compare, tune)
_MODELS = (models, runtime, tracking)
_SERVICE = (serve, smoke, truth, live, export)
_DELIVERY = (deploy, monitor, webhook, notify)
for command in (*_CHAIN, *_MODELS, *_SERVICE, *_DELIVERY, docs):
    commands.add_command(command)


def main(*words: str) -> None:
    """Run the command that `words` and the process's arguments name, and exit with its code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.captureWarnings(capture=True)
    name = sys.argv[0].rpartition("/")[2] if words else "python -m lightmodel"
    arguments = [*words, *sys.argv[1:]]
    code = _guarded(arguments, name)
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
        click.echo("interrupted; the next run goes on where this one was", err=True)
        return INTERRUPTED
    except LightModelError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        return exit_code(error)
    except Exception:
        logger.exception("this is a bug of light-model, not of yours; please report it")
        return BUG
    return 0
