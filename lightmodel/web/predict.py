"""`POST /predict`: a table in the multipart field `file`, one answer a row."""

import tempfile
from pathlib import Path

import orjson
import pyarrow as pa
from flask import Blueprint, Response, request
from werkzeug.exceptions import UnprocessableEntity

from lightmodel import wiring
from lightmodel.config import DataSection
from lightmodel.web.holder import Holder


def blueprint(holder: Holder, data: DataSection) -> Blueprint:
    """Give the route; rows are read as the training table was."""
    routes = Blueprint("predict", __name__)

    @routes.post("/predict")
    def predict() -> Response:
        predictor = holder.require()
        answers = predictor.predict(_uploaded(data))
        response = Response(orjson.dumps(answers), mimetype="application/json")
        response.headers["X-Model-Version"] = predictor.version
        return response

    return routes


def _uploaded(data: DataSection) -> pa.Table:
    upload = request.files.get("file")
    if upload is None:
        raise UnprocessableEntity('send the table in the multipart field "file"')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{Path(upload.filename or '').suffix}"
        upload.save(path)
        return wiring.read_upload(path, data)
