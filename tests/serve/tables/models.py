"""The models of the tables, each trained once."""

import json
from collections.abc import Callable, Mapping
from functools import cache

import pytest
from flask.testing import FlaskClient

from tests.fakes.trained import Trained, train
from tests.serve.tables import (
    amounts,
    blanks_and_ids,
    cells,
    dates,
    dialects,
    files,
    names,
    preambles,
    texts,
)
from tests.serve.tables.base import Case

CASES: Mapping[str, Callable[[], Case]] = {
    **dialects.CASES,
    **names.CASES,
    **cells.CASES,
    **blanks_and_ids.CASES,
    **files.CASES,
    **amounts.CASES,
    **dates.CASES,
    **preambles.CASES,
    **texts.CASES,
}


@cache
def case_of(name: str) -> Case:
    """Return a table, made once."""
    return CASES[name]()


class Models:
    """Models and clients of them, made when they are first asked for."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._trained: dict[str, Trained] = {}
        self._clients: dict[tuple[str, bool], FlaskClient] = {}

    def model(self, name: str) -> Trained:
        """Return the model of a table."""
        if name not in self._trained:
            case = case_of(name)
            folder = self._folders.mktemp("table")
            path = folder / case.file
            path.write_bytes(case.content)
            settings = {"data.source": path, "data.target": "y", **case.settings}
            written = {key: _setting(value) for key, value in settings.items()}
            self._trained[name] = train(folder, written.items())
        return self._trained[name]

    def client(self, name: str, *, compiled: bool) -> FlaskClient:
        """Return a client of the service on that model."""
        key = name, compiled
        if key not in self._clients:
            self._clients[key] = self.model(name).client(compiled=compiled)
        return self._clients[key]


def _setting(value: object) -> str:
    return json.dumps(value) if isinstance(value, list) else str(value)
