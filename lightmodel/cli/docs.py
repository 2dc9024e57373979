"""`python -m lightmodel docs`: write the pages and dvc.yaml, which are made from the code."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import click

from lightmodel.cli.exits import EXIT_CODES, MEANINGS
from lightmodel.config import Config, load
from lightmodel.config.reference import example_file, reference_page

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
_INTRODUCTION = """\
# The chain for DVC, written by `python -m lightmodel docs` from lightmodel/pipeline/__init__.py and from
# data.source and train.module of config.toml: write it anew when you change those. docs/data-versions.md.
stages:
"""


@click.command()
def docs() -> None:
    """Write docs/config.md, docs/errors.md, examples/every-setting.toml and dvc.yaml anew."""
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
        "Written by `make docs` from `lightmodel/cli/exits.py`. Only 75 is worth a retry.",
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

    text = _INTRODUCTION
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
