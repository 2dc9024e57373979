"""The plain recipe of many tutorials: `python recipe.py model.joblib port`."""

import sys

import joblib
import pandas as pd
from flask import Flask, Response, jsonify, request

app = Flask(__name__)


@app.post("/predict")
def predict() -> Response:
    """Load the model, read the upload, score it."""
    kept = joblib.load(sys.argv[1])
    rows = pd.read_csv(request.files["file"])
    return jsonify(kept["model"].predict(rows[kept["names"]]).tolist())


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[2]))
