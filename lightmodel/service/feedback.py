"""`POST /truth`: labels that are known later, for the live metrics."""

from flask import Blueprint, Response, jsonify, request

from lightmodel.config import Config
from lightmodel.predictions.feedback import add_ground_truth, label_reader
from lightmodel.service.model_manager import ModelManager
from lightmodel.service.request_body import RequestBody


def blueprint(models: ModelManager, config: Config) -> Blueprint:
    """Return the route; it takes the model's id column and its target, in any form of table."""
    routes = Blueprint("truth", __name__)

    @routes.post("/truth")
    def truth() -> Response:
        model = models.require()
        body = RequestBody(request, config.serve)
        blocks = label_reader(model, config).read(body.pieces(), body.form, body.charset)
        return jsonify(add_ground_truth(config, blocks, model.contract))

    return routes
