"""`POST /predict`: a table in the multipart field `file`, one answer a row."""

import tempfile
from pathlib import Path

import orjson
import pyarrow as pa
from flask import Blueprint, Response, request
from werkzeug.exceptions import UnprocessableEntity

from lightmodel.config import DataSection
from lightmodel.web.holder import Holder
from lightmodel.wiring.training import read_upload


def blueprint(holder: Holder, data: DataSection) -> Blueprint:
    """Give the route; rows are read as the training table was."""
    routes = Blueprint("predict", __name__)

    @routes.post("/predict")
    def predict() -> Response:
        served = holder.require()
        answers = served.predictor.predict(_uploaded(data))
        response = Response(orjson.dumps(answers), mimetype="application/json")
        response.headers["X-Model-Version"] = served.version
        return response

    return routes


def _uploaded(data: DataSection) -> pa.Table:
    upload = request.files.get("file")
    if upload is None:
        raise UnprocessableEntity('send the table in the multipart field "file"')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{Path(upload.filename or '').suffix}"
        upload.save(path)
        return read_upload(path, data)
