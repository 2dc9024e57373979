"""Terraform's files, read without Terraform."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

DEPLOY = Path(__file__).parents[2] / "deploy"
Body = dict[str, Any]


def plain(value: Any) -> Any:
    """Return the parser's value without the quotes that it leaves on strings."""
    if isinstance(value, str):
        return value.strip('"')
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@cache  # the parser is slow
def parsed(file: Path) -> Body:
    with file.open(encoding="utf-8") as opened:
        content: Body = plain(hcl2.load(opened))
    return content


def blocks(folder: Path, kind: str) -> dict[str, Body]:
    """Return the blocks of a kind in all files by name, or by type and name with a dot between."""
    return dict(_blocks(folder, kind))


def _blocks(folder: Path, kind: str) -> Iterator[tuple[str, Body]]:
    for file in sorted(folder.glob("*.tf")):
        for block in parsed(file).get(kind, []):
            for label, body in block.items():
                if kind in {"resource", "data"}:
                    yield from ((f"{label}.{name}", content) for name, content in body.items())
                else:
                    yield label, body


def text_of(folder: Path) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.tf*")))
