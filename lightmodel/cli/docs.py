"""`python -m lightmodel docs`: write the pages that are made from the code."""

from pathlib import Path

import click

from lightmodel.cli.dvc import dvc_file
from lightmodel.cli.exits import EXIT_CODES, MEANINGS
from lightmodel.config import load
from lightmodel.config.reference import example_file, reference_page


@click.command()
def docs() -> None:
    """Write docs/config.md, docs/errors.md, examples/every-setting.toml and dvc.yaml anew."""
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(f"written: {path}")


def pages() -> dict[Path, str]:
    """Give each generated file's text."""
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
        names = [f"`{error.__name__}`" for error, own in EXIT_CODES.items() if own == code]
        lines.append(f"| {code} | {meaning} | {', '.join(names)} |")
    lines += ["", "| error | |", "|---|---|"]
    for error in EXIT_CODES:
        words = " ".join((error.__doc__ or "").split())
        lines.append(f"| `{error.__name__}` | {words} |")
    return "\n".join(lines) + "\n"
