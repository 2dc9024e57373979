"""Errors become a message, a hint and an exit code; any other exception is a bug."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from lightmodel.cli import GROUPS, commands
from lightmodel.config.environment import service_environment
from lightmodel.contract.task import TaskKind
from lightmodel.errors import AlreadyRunning, ConfigError, LightModelError, QualityGateFailed
from lightmodel.search.entries import default_entries
from tests.fakes.command_line import CommandLine
from tests.fakes.project import ROOT
from tests.fakes.warm_interpreter import run_python


@pytest.fixture
def add_failing() -> Iterator[Callable[[BaseException], None]]:
    """Return a function that adds a command `fail`, which raises a given error."""

    def add(error: BaseException) -> None:
        def fail() -> None:
            raise error

        commands.add_command(click.Command("fail", callback=fail))

    yield add
    commands.commands.pop("fail", None)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (QualityGateFailed("AUC 0.6 is less than 0.7"), 10),
        (AlreadyRunning("another run is in progress"), 75),
        (ConfigError("data.source is not set"), 78),
        (LightModelError("an error of an unknown kind"), 1),
    ],
)
def test_an_error_becomes_its_message_and_its_exit_code(
    call: CommandLine,
    add_failing: Callable[[BaseException], None],
    error: LightModelError,
    code: int,
) -> None:
    add_failing(error)
    ended = call("fail")
    assert (ended.code, ended.out, ended.err) == (code, "", f"error: {error.message}\n")


def test_a_hint_follows_on_a_line_of_its_own(
    call: CommandLine, add_failing: Callable[[BaseException], None]
) -> None:
    add_failing(ConfigError("data.source is not set", hint="name a table"))
    assert call("fail").err == "error: data.source is not set\nhint: name a table\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_exits_with_130(
    call: CommandLine, add_failing: Callable[[BaseException], None], error: BaseException
) -> None:
    add_failing(error)
    ended = call("fail")
    assert ended.code == 130
    assert "interrupted" in ended.err


def test_anything_else_is_a_bug_with_a_traceback(
    call: CommandLine,
    add_failing: Callable[[BaseException], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    add_failing(ZeroDivisionError("division by zero"))
    assert call("fail").code == 1
    assert "this is a bug" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("nonsense",), "No such command"),
        (("run", "nonsense"), "is not one of"),
        (("run", "--nonsense"), "No such option"),
        (("run", "train", "--from", "train"), "not both"),
        (("run", "--from", "testing", "--to", "train"), "comes after"),
        (("compare", "--limit", "soon"), "is not a duration"),
        (("compare", "--limit", "0s"), "greater than zero"),
        (("monitor", "--every", "0"), "not in the range"),
        (("feedback", "missing.csv"), "does not exist"),
    ],
)
def test_invalid_arguments_exit_with_2(
    call: CommandLine, words: tuple[str, ...], part: str
) -> None:
    ended = call(*words)
    assert ended.code == 2
    assert part in ended.err


def test_help_names_every_command_and_exits_with_0(call: CommandLine) -> None:
    ended = call("--help")
    assert ended.code == 0
    for name in commands.list_commands(click.Context(commands)):
        assert f"  {name} " in ended.out
        assert call(name, "--help").code == 0


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("run", "--set", "train.folds=many"), 78, "train.folds"),
        (("run", "--config", "missing.toml"), 78, "missing.toml"),
        (("tracking", "list", "--set", "tracking.uri=none"), 78, "tracking.uri is none"),
        (("tracking", "resend", "--set", "tracking.uri=none"), 78, "tracking.uri is none"),
        (("webhook",), 78, "webhook"),
        (("deploy", "azure"), 78, "azure"),
        (("models", "show"), 66, "model"),
        (("models", "rollback"), 66, "model"),
        (("models", "pack", "image"), 66, "model"),
        (("models", "push"), 78, "store.mirrors is empty"),
        (("reproduce", "2026"), 66, "2026"),
        (("retry",), 66, ""),
        (("feedback", "labels.csv"), 66, "model"),
        (("live",), 66, "model"),
        (("smoke", "--wait", "0"), 66, "model"),
    ],
)
def test_a_missing_requirement_of_a_command_is_named(
    call: CommandLine, words: tuple[str, ...], code: int, part: str
) -> None:
    Path("labels.csv").write_text("id,target\n")
    ended = call(*words)
    assert ended.code == code, ended.err
    assert part in ended.err


def test_a_wrong_setting_is_reported_before_gunicorn_starts(call: CommandLine) -> None:
    Path("config.toml").write_text("[serve]\nport = 'many'\n")
    ended = call("serve")
    assert ended.code == 78
    assert "serve.port" in ended.err


def test_a_port_in_use_is_named_with_what_to_do(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightmodel.cli.ports._PORT_PAUSE_S", 0.0)
    monkeypatch.delenv("GUNICORN_CMD_ARGS", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = call("serve", "--set", f"serve.port={port}")
    assert ended.code == 78
    assert f"port {port} is in use" in ended.err
    assert "--set serve.port=" in ended.err


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_the_help_of_a_script_names_the_script_alone(word: str, tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = run_python([str(ROOT / "run.py"), word], tmp_path, environ)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("Usage: run.py [OPTIONS] [preprocess|")


def test_the_help_of_compare_names_all_learners(call: CommandLine) -> None:
    text = call("compare", "--help").out
    kinds = (TaskKind.BINARY, TaskKind.REGRESSION)
    assert [
        one.name for kind in kinds for one in default_entries(kind, 9) if one.name not in text
    ] == []


def test_help_shows_the_first_sentence_of_each_commands_own_help() -> None:
    context = click.Context(commands)
    shown = {name: text for group in GROUPS.values() for name, (_, text) in group.items()}
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        assert command is not None
        assert (command.help or "").partition("\n")[0] == shown[name]
        children = command.commands.values() if isinstance(command, click.Group) else ()
        for child in (command, *children):
            first = (child.help or "").partition("\n")[0]
            assert len(first) <= 60, first
            assert first.endswith(".")
            assert "..." not in child.get_short_help_str(65)


def test_a_misspelt_command_is_answered_with_the_closest_one(call: CommandLine) -> None:
    ended = call("model")
    assert ended.code == 2
    assert "No such command 'model'. Did you mean 'models'?" in ended.err
    assert "Did you mean" not in call("xyzzy").err


def test_an_old_name_of_a_command_is_still_valid() -> None:
    context = click.Context(commands)
    assert commands.get_command(context, "truth") is commands.get_command(context, "feedback")


@pytest.mark.parametrize("words", [("--config", "other.toml"), ("--set", "serve.port=many")])
def test_serve_takes_config_and_set_like_every_command(
    call: CommandLine, words: tuple[str, ...]
) -> None:
    Path("other.toml").write_text("[serve]\nport = 'many'\n")
    ended = call("serve", *words)
    assert ended.code == 78
    assert "serve.port" in ended.err


def test_the_service_inherits_config_and_set_through_its_environment() -> None:
    environ = service_environment(Path("other.toml"), ["serve.port=5002", "data.target = a=b"])
    assert environ["LIGHTMODEL_CONFIG"] == str(Path("other.toml").absolute())
    assert environ["LIGHTMODEL__SERVE__PORT"] == "5002"
    assert environ["LIGHTMODEL__DATA__TARGET"] == " a=b"
