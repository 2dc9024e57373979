"""`POST /truth`: labels that are known later, for the live metrics."""

import orjson
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from lightmodel.config import Config
from lightmodel.contract.columns import Contract
from lightmodel.predictions.factory import add_ground_truth
from lightmodel.predictions.feedback import TruthTable, read_csv, read_records
from lightmodel.service.model_manager import ModelManager
from lightmodel.service.request_body import RequestBody


def blueprint(models: ModelManager, config: Config) -> Blueprint:
    """Return the route; it takes the model's id column and its target, as CSV or JSON."""
    routes = Blueprint("truth", __name__)

    @routes.post("/truth")
    def truth() -> Response:
        contract = models.require().contract
        body = RequestBody(request, config.serve).read_all()
        return jsonify(
            add_ground_truth(config, _table(body, contract, config.data.decimal), contract)
        )

    return routes


def _table(body: bytes, contract: Contract, decimal: str) -> TruthTable:
    if request.mimetype in {"multipart/form-data", "text/csv"}:
        return read_csv(body, contract, decimal)
    if request.mimetype == "application/json":
        try:
            return read_records(orjson.loads(body), contract)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"the body is not JSON: {error.msg}, at byte {error.pos}") from None
    raise UnsupportedMediaType('send text/csv, application/json, or a CSV in the field "file"')
