"""`python -m lightmodel docs`: write the pages and dvc.yaml, which are made from the code."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from lightmodel.cli import EXIT_CODES, MEANINGS
from lightmodel.config import Config, load
from lightmodel.config.load import PREFIX, SECTIONS, is_secret

if TYPE_CHECKING:  # the chain is imported when the page is written
    from lightmodel.pipeline import Stage

_ROOT = "var/dvc"
_CODE = (
    *("run.py", "requirements.txt", "lightmodel/store", "lightmodel/pipeline"),
    *("lightmodel/config", "lightmodel/contract", "lightmodel/training", "lightmodel/tables"),
)
_STAGE_CODE = {
    "preprocessed": ("lightmodel/sources",),
    "model": (
        *("lightmodel/learners", "lightmodel/search", "lightmodel/scoring", "lightmodel/report"),
    ),
}
_BOUNDS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
_DVC_INTRODUCTION = """\
# The chain for DVC, written by `python -m lightmodel docs` from lightmodel/pipeline/__init__.py and from
# data.source and train.module of config.toml: write it anew when you change those. docs/data-versions.md.
stages:
"""


_SETTINGS_INTRODUCTION = """\
# Every setting that is not a secret, with its default; an empty file is valid, so delete what you do
# not change. The environment (LIGHTMODEL__DATA__TARGET=price) and the command line
# (--set data.target=price) come first. docs/config.md holds the same as a page.
"""


@click.command()
def docs() -> None:
    """Write the pages that are made from the code.

    They are docs/config.md, docs/errors.md, examples/every-setting.toml and dvc.yaml.
    """
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(f"written: {path}")


def pages() -> dict[Path, str]:
    """Return each generated file's text."""
    return {
        Path("examples", "every-setting.toml"): example_file(),
        Path("docs", "config.md"): reference_page(),
        Path("docs", "errors.md"): _errors_page(),
        Path("dvc.yaml"): dvc_file(load(environ={}).config),
    }


def _errors_page() -> str:
    lines = [
        "# Errors and exit codes",
        "",
        "Written by `make docs` from `lightmodel/cli/__init__.py`. Only 75 is worth a retry.",
        "",
        "| exit code | meaning | errors |",
        "|---|---|---|",
    ]
    for code, meaning in MEANINGS.items():
        names = [f"`{error.__name__}`" for error, one in EXIT_CODES.items() if one == code]
        lines.append(f"| {code} | {meaning} | {', '.join(names)} |")
    lines += ["", "| error | |", "|---|---|"]
    for error in EXIT_CODES:
        words = " ".join((error.__doc__ or "").split())
        lines.append(f"| `{error.__name__}` | {words} |")
    return "\n".join(lines) + "\n"


def dvc_file(config: Config) -> str:
    """Return dvc.yaml: stages of the chain that write to one folder are one stage of DVC."""
    from lightmodel.pipeline import CHAIN

    text = _DVC_INTRODUCTION
    for folder, stages in groupby(CHAIN, key=lambda stage: _folder(stage.writes)):
        text += "\n".join(_lines(folder, tuple(stages), config)) + "\n"
    return text


def _folder(files: str) -> str:
    return files.partition("/")[0]


def _lines(folder: str, stages: "Sequence[Stage]", config: Config) -> Iterator[str]:
    names = [stage.name for stage in stages]
    first = _folder(stages[0].reads)
    yield f"  {'-'.join(names)}:"
    yield f"    cmd: python run.py {' '.join(names)} --set store.root={_ROOT}"
    table = _local_table(config.data.source)
    inputs = [f"{_ROOT}/{first}"] if first in _STAGE_CODE else [table] if table else []
    if not inputs:
        yield "    always_changed: true  # DVC cannot see whether the table changed, and the chain can"
    if folder == "model" and config.train.module:
        inputs.append(json.dumps(config.train.module))
    yield "    deps:"
    yield from (f"      - {path}" for path in (*inputs, *_CODE, *_STAGE_CODE[folder]))
    yield "    params:"
    yield "      - config.toml:"
    yield "    outs:"
    yield f"      - {_ROOT}/{folder}:"
    yield "          persist: true"


def _local_table(source: str) -> str:
    """Return the file, or of a pattern the folder, that a source on this machine names, quoted; else ""."""
    from lightmodel.sources.factory import scheme_of

    if scheme_of(source) != "file":
        return ""
    path = PurePath(source.removeprefix("file://"))
    while any(sign in path.name for sign in "*?["):
        path = path.parent
    return json.dumps(path.as_posix())


def example_file() -> str:
    """Return config.toml: each key with its default, its comment above it."""
    lines = [_SETTINGS_INTRODUCTION]
    for name, section in SECTIONS.items():
        lines += [f"[{name}]"]
        for key, field in section.model_fields.items():
            if not is_secret(field):
                comment = textwrap.wrap(f"{field.description}{_choices(field)}", 96)
                lines += [*(f"# {line}" for line in comment), _assignment(key, field), ""]
    return "\n".join(lines)


def reference_page() -> str:
    """Return docs/config.md: a table for each section."""
    lines = [
        "# Settings",
        "",
        "Written by `make docs` from `lightmodel/config/`. A later origin wins: default,",
        "`config.toml` (or `--config FILE`), environment, `--set section.key=value`.",
        "`python run.py --print-config` shows each value and where it comes from.",
        "",
        "Secrets come from the environment only, or from a file that a variable with `_FILE` at its",
        f"end names: `{PREFIX}STORE__SIGNING_KEY_FILE=/run/secrets/key`.",
    ]
    for name, section in SECTIONS.items():
        title = (section.__doc__ or "").strip().splitlines()[0]
        lines += ["", f"## [{name}]", "", title, ""]
        lines += ["| key | default | range | |", "|---|---|---|---|"]
        for key, field in section.model_fields.items():
            default = field.get_default(call_default_factory=True)
            shown = "secret" if is_secret(field) else f"`{_toml(default)}`"
            description = f"{field.description}{_choices(field)}".replace("|", "\\|")
            lines.append(f"| `{name}.{key}` | {shown} | {_range(field)} | {description} |")
    return "\n".join(lines) + "\n"


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal:
        return ""
    return f" One of {', '.join(str(choice) for choice in get_args(field.annotation))}."


def _range(field: FieldInfo) -> str:
    """Return the bounds of a number, such as "1 to 65535" or "> 0"; "" where there are none."""
    bounds = {
        kind: getattr(one, kind) for one in field.metadata for kind in _BOUNDS if hasattr(one, kind)
    }
    if {"ge", "le"} <= bounds.keys():
        return f"{bounds['ge']} to {bounds['le']}"
    return ", ".join(f"{_BOUNDS[kind]} {bound}" for kind, bound in bounds.items())


def _assignment(key: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    return f"# {key} =" if default is None else f"{key} = {_toml(default)}"


def _toml(value: Any) -> str:  # noqa: ANN401 — whatever a field may hold
    if value is None:
        return "not set"
    from lightmodel.config.rewrite import toml_item  # wants tomlkit, which no serving image has

    return str(toml_item(str(value) if isinstance(value, Path) else value).as_string())
