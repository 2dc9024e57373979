"""`/models`: the versions of the store, what is known of each, and the change of a verdict by hand."""

from dataclasses import dataclass
from typing import Any

import orjson
from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from lightmodel.config import Config
from lightmodel.errors import ArtefactMissing
from lightmodel.notify.events import Event
from lightmodel.notify.notifier import open_notifier
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.service.model_versions import (
    Roles,
    details_of,
    pictures_of,
    roles_of,
    summaries,
    summary_of,
)
from lightmodel.service.responses import file_response, report_response
from lightmodel.service.security import check_token
from lightmodel.store.verdict import Note
from lightmodel.store.version_names import is_version_name
from lightmodel.store.versions import Store, Version, models_of
from lightmodel.watch import verdicts

_FIELDS = ("by", "why")


@dataclass(frozen=True)
class _View:
    """The store of a service, as its routes see it."""

    config: Config
    models: ModelManager
    store: Store

    def roles(self) -> Roles:
        return roles_of(self.store, self.config, self.models)

    def version(self, name: str) -> Version:
        """Return a version by its whole name; an unknown one is answered with 404."""
        try:
            if is_version_name(name):
                return self.store.open(name)
        except ArtefactMissing:
            pass
        raise NotFound(f"there is no model version {name[:60]!r}; GET /models lists them")


def blueprint(models: ModelManager, config: Config) -> Blueprint:
    """Return the routes; to change a verdict needs serve.train_token."""
    routes = Blueprint("models", __name__, url_prefix="/models")
    view = _View(config, models, models_of(config))
    _add_reading(routes, view)
    _add_changes(routes, view)
    return routes


def _add_reading(routes: Blueprint, view: _View) -> None:
    @routes.get("")
    def versions() -> Response:
        roles = view.roles()
        return _json({**vars(roles), "versions": list(summaries(view.store, roles))})

    @routes.get("/<name>")
    def one(name: str) -> Response:
        return _json(details_of(view.version(name), view.store, view.roles()))

    @routes.get("/<name>/report")
    def report(name: str) -> Response:
        return report_response(view.version(name), view.store.signer)

    @routes.get("/<name>/pictures/<picture>")
    def picture(name: str, picture: str) -> Response:
        version = view.version(name)
        if picture not in pictures_of(version):
            raise NotFound(f"{name} has no picture of this name")
        return file_response(version.read(picture), "image/png")


def _add_changes(routes: Blueprint, view: _View) -> None:
    def check() -> None:
        """Require the token; the store is not touched before."""
        token = view.config.serve.train_token
        if token is None:
            raise Forbidden("changes over HTTP are off; set serve.train_token to turn them on")
        check_token(token)

    def notify(event: Event) -> None:
        open_notifier(view.config).send(event)

    @routes.post("/<name>/promote")
    def promote(name: str) -> Response:
        check()
        version, note = view.version(name), _note()
        verdicts.promote(view.config, version.name, notify, note)
        return _changed(version)

    @routes.post("/<name>/rollback")
    def rollback(name: str) -> Response:
        check()
        version, note = view.version(name), _note()
        verdicts.roll_back(view.config, version.name, notify, note)
        return _changed(version)

    @routes.post("/<name>/retire")
    def retire(name: str) -> Response:
        check()
        version, note = view.version(name), _note()
        verdicts.retire(view.config, version.name, note)
        return _json({**vars(view.roles()), "removed": version.name})

    def _changed(version: Version) -> Response:
        roles = view.roles()
        return _json({**vars(roles), "changed": summary_of(version, view.store, roles)})


def _note() -> Note:
    """Return who makes a change and why, of which both must be said."""
    content = request.get_json(silent=True)
    if not isinstance(content, dict) or not all(
        isinstance(value, str) for value in content.values()
    ):
        raise BadRequest('send {"by": "your name", "why": "the reason"} as application/json')
    if unknown := sorted(content.keys() - set(_FIELDS)):
        raise BadRequest(f"there is no field {unknown[0][:60]!r}; known are by and why")
    note = verdicts.note_of(content.get("by", ""), content.get("why", ""))
    if not (note.by and note.why):
        raise BadRequest("`by` and `why` must say who makes the change, and why")
    return note


def _json(content: dict[str, Any]) -> Response:
    response = Response(orjson.dumps(content), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
