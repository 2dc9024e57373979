"""Write config.toml and docs/config.md from the sections, so that they cannot go out of date."""

import textwrap
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from lightmodel.config.load import PREFIX, SECTIONS, is_secret
from lightmodel.config.rewrite import toml_item

_INTRODUCTION = """\
# Every setting that is not a secret, with its default; an empty file is valid, so delete what you do
# not change. The environment (LIGHTMODEL__DATA__TARGET=price) and the command line
# (--set data.target=price) come first. docs/config.md holds the same as a page.
"""


def example_file() -> str:
    """Return config.toml: each key with its default, its comment above it."""
    lines = [_INTRODUCTION]
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
        lines += ["", f"## [{name}]", "", title, "", "| key | default | |", "|---|---|---|"]
        for key, field in section.model_fields.items():
            default = field.get_default(call_default_factory=True)
            shown = "secret" if is_secret(field) else f"`{_toml(default)}`"
            description = f"{field.description}{_choices(field)}".replace("|", "\\|")
            lines.append(f"| `{name}.{key}` | {shown} | {description} |")
    return "\n".join(lines) + "\n"


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal:
        return ""
    return f" One of {', '.join(str(choice) for choice in get_args(field.annotation))}."


def _assignment(key: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    return f"# {key} =" if default is None else f"{key} = {_toml(default)}"


def _toml(value: Any) -> str:  # noqa: ANN401 — whatever a field may hold
    if value is None:
        return "not set"
    return str(toml_item(str(value) if isinstance(value, Path) else value).as_string())
