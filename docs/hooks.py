"""What MkDocs adds to the pages of this folder: pictures and references that are made from the code."""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from lightmodel.cli import commands
from lightmodel.config import load
from lightmodel.service import create_app

ROOT = Path(__file__).parents[1]
_SAMPLE = """\
[data]
source = "sklearn://breast_cancer"
[train]
folds = 2
parameters = {num_leaves = 4, max_rounds = 20}
[tracking]
uri = "none"
"""
_FLOW = [
    ("git push", "webhook"),
    ("preprocess", "table → split"),
    ("train", "split → model"),
    ("testing", "quality gate"),
    ("image", "smoke test"),
    ("service", "POST /predict"),
]
_STYLE = """\
<style>
  rect { fill: #e0f2f1; stroke: #00796b; }
  text { font: 15px sans-serif; fill: #102a27; text-anchor: middle; }
  .small { font-size: 12px; fill: #33665f; }
  path { stroke: #00796b; stroke-width: 2; fill: none; }
</style>
"""


_COMMANDS = """\
# Commands

This is what `--help` prints of each command. `run.py` is `python -m lightmodel run`, and `app.py` is
`python -m lightmodel serve`. `pip install .` installs all of them as `light-model`; in bash
`eval "$(_LIGHT_MODEL_COMPLETE=bash_source light-model)"` then completes their names (zsh: `zsh_source`,
fish: `fish_source`)."""
_HTTP = """\
# HTTP API

The service describes itself: `/docs` is Swagger UI, `/openapi.json` the OpenAPI document for the model
that is loaded, `/postman.json` a collection for Postman. This page is made from that document, for a model
of two classes.

Errors are `application/problem+json` (RFC 9457) with `status`, `title`, `detail` and `request_id`;
[Errors and exit codes](errors.md) lists their kinds."""
_DECISIONS = """\
# Decisions

Why things are as they are: what was chosen, what was measured, and how to undo it.
"""


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return a page with what only the site has: the repository's reader does not see comments."""
    return re.sub(r"<!-- site: (.*?) -->", r"\1", markdown)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Return the files of the site with the generated ones among them."""
    made = {
        "flow.svg": flow_picture(),
        "layers.svg": layers_picture(),
        "commands.md": "\n".join(commands_page()),
        "http.md": "\n".join(http_page(openapi())),
        "decisions/index.md": "\n".join(decisions_page()),
    }
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def _picture(width: int, height: int, parts: list[str]) -> str:
    size = f'viewBox="0 0 {width} {height}" width="{width}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', _STYLE, *parts, "</svg>"])


def _box(x: int, y: int, width: int, height: int, title: str, note: str = "") -> list[str]:
    middle = x + width // 2
    parts = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>',
        f'<text x="{middle}" y="{y + (24 if note else height // 2 + 5)}">{escape(title)}</text>',
    ]
    if note:
        parts.append(f'<text class="small" x="{middle}" y="{y + 44}">{escape(note)}</text>')
    return parts


def flow_picture() -> str:
    """Return an SVG of the way from a push to an answer."""
    parts = []
    for number, (title, note) in enumerate(_FLOW):
        x = 10 + number * 150
        parts += _box(x, 10, 124, 58, title, note)
        if number:
            parts.append(f'<path d="M {x - 24} 39 h 20 m -6 -5 l 6 5 l -6 5"/>')
    return _picture(10 + len(_FLOW) * 150 - 16, 78, parts)


def layers_picture() -> str:
    """Return an SVG of the layers that import-linter enforces, outside to inside."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["type"] == "layers")
    rows = [[room.strip() for room in row.split("|")] for row in layers if row != "__main__"]
    parts, width, height = [], 760, 40
    for number, rooms in enumerate(rows):
        each = (width - 20 - (len(rooms) - 1) * 10) // len(rooms)
        for place, room in enumerate(rooms):
            parts += _box(10 + place * (each + 10), 10 + number * (height + 14), each, height, room)
        if number:
            parts.append(f'<path d="M {width // 2} {number * (height + 14) - 3} v 11"/>')
    return _picture(width, 10 + len(rows) * (height + 14), parts)


def commands_page() -> Iterator[str]:
    """Yield the lines of the page of commands, as `--help` prints them."""
    yield _COMMANDS
    yield from _help_of(commands, click.Context(commands, info_name="python -m lightmodel"), 2)


def _help_of(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    if level > 2 or not isinstance(command, click.Group):
        yield from ["", f"{'#' * min(level, 3)} {context.info_name}", "", "```text"]
        yield command.get_help(context)
        yield "```"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            full = name if level == 2 else f"{context.info_name} {name}"
            if child := command.get_command(context, name):
                yield from _help_of(child, click.Context(child, info_name=full), 3)


def openapi() -> dict[str, Any]:
    """Return what the service says of itself, with a small model that is trained for it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").write_text(_SAMPLE, encoding="utf-8")
        subprocess.run(
            [sys.executable, ROOT / "run.py"], cwd=folder, check=True, capture_output=True
        )
        settings = [f"store.root={folder}", f"log.folder={folder / 'log'}"]
        client = create_app(load(folder / "config.toml", settings, {}).config).test_client()
        answer = client.get("/openapi.json")
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
        document: dict[str, Any] = answer.get_json()
        return document


def http_page(document: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the page of routes, from the OpenAPI document of a model of two classes."""
    yield _HTTP
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _route(f"{method.upper()} {path}", operation)


def _route(title: str, operation: dict[str, Any]) -> Iterator[str]:
    yield from ["", f"## `{title}`", "", f"{operation['summary']}."]
    if parameters := operation.get("parameters"):
        yield from ["", "| parameter | in | |", "|---|---|---|"]
        for one in parameters:
            yield f"| `{one['name']}` | {one['in']} | {one.get('description', '')} |"
    if body := operation.get("requestBody"):
        kinds = ", ".join(f"`{kind}`" for kind in body["content"])
        yield from ["", f"Body: {kinds}."]
    yield from ["", "| status | | answers |", "|---|---|---|"]
    for status, answer in operation["responses"].items():
        kinds = ", ".join(f"`{kind}`" for kind in answer.get("content", {}))
        yield f"| {status} | {answer['description']} | {kinds} |"


def decisions_page() -> Iterator[str]:
    """Yield the lines of the list of decisions, by number."""
    yield _DECISIONS
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0]
        number, _, words = re.sub(r"^# ", "", title).partition(". ")
        yield f"{number}. [{words}]({path.name})"
