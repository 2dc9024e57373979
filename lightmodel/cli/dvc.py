"""dvc.yaml: the chain as a pipeline of DVC, made from CHAIN."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING

from lightmodel.config import Config

if TYPE_CHECKING:  # the chain is imported when the page is written
    from lightmodel.pipeline import Stage

ROOT = "var/dvc"
CODE = (
    *("run.py", "requirements.txt", "lightmodel/store", "lightmodel/pipeline"),
    *("lightmodel/config", "lightmodel/contract", "lightmodel/ports", "lightmodel/training"),
    "lightmodel/wiring",
)
OWN_CODE = {
    "preprocessed": ("lightmodel/tables", "lightmodel/sources"),
    "model": (
        *("lightmodel/learners/compiled", "lightmodel/learners"),
        *("lightmodel/search", "lightmodel/report"),
    ),
}
_INTRODUCTION = """\
# The chain for DVC, written by `python -m lightmodel docs` from lightmodel/pipeline/__init__.py and from
# data.source and train.module of config.toml: write it anew when you change those. docs/data-versions.md.
stages:
"""


def dvc_file(config: Config) -> str:
    """Write dvc.yaml: stages of the chain that write to one folder are one stage of DVC."""
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
    yield f"    cmd: python run.py {' '.join(names)} --set store.root={ROOT}"
    table = _local_table(config.data.source)
    inputs = [f"{ROOT}/{first}"] if first in OWN_CODE else [table] if table else []
    if not inputs:
        yield "    always_changed: true  # DVC cannot see whether the table changed, and the chain can"
    if folder == "model" and config.train.module:
        inputs.append(json.dumps(config.train.module))
    yield "    deps:"
    yield from (f"      - {path}" for path in (*inputs, *CODE, *OWN_CODE[folder]))
    yield "    params:"
    yield "      - config.toml:"
    yield "    outs:"
    yield f"      - {ROOT}/{folder}:"
    yield "          persist: true"


def _local_table(source: str) -> str:
    """Give the file, or of a pattern the folder, that a source on this machine names, quoted; else ""."""
    from lightmodel.sources.factory import scheme_of

    if scheme_of(source) != "file":
        return ""
    path = PurePath(source.removeprefix("file://"))
    while any(sign in path.name for sign in "*?["):
        path = path.parent
    return json.dumps(path.as_posix())
