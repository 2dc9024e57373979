"""Is the process alive, and can it answer?"""

from flask import Blueprint, Response, jsonify

from lightmodel.service.model_manager import Holder


def blueprint(holder: Holder) -> Blueprint:
    """Give the two routes that a platform asks."""
    routes = Blueprint("health", __name__)

    @routes.get("/health")
    def health() -> Response:
        return jsonify(status="alive")

    @routes.get("/ready")
    def ready() -> Response:
        return jsonify(status="ready", version=holder.require().version)

    return routes
