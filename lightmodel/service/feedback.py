"""`POST /truth`: labels that are known later, for the live metrics."""

from flask import Blueprint, Response, jsonify, request

from lightmodel.config import Config
from lightmodel.predictions.factory import add_truths
from lightmodel.service.model_manager import Holder
from lightmodel.service.request_body import Incoming


def blueprint(holder: Holder, config: Config) -> Blueprint:
    """Return the route; it takes the model's id column and its target, in any form of table."""
    routes = Blueprint("truth", __name__)

    @routes.post("/truth")
    def truth() -> Response:
        served = holder.require()
        incoming = Incoming(request, config.serve)
        form, reader = incoming.form, served.label_reader(config)
        blocks = reader.read(incoming.pieces(), form, incoming.charset)
        return jsonify(add_truths(config, blocks, served.contract))

    return routes
