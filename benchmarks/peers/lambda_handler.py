"""A Lambda handler as tutorials write it, of pandas and joblib; no check, no contract, no output."""

import base64
import json
import os
from typing import Any

import joblib
import pandas as pd

kept = joblib.load(os.environ["RECIPE"])


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Score the records of a Kinesis event together, and return the predictions."""
    rows = [json.loads(base64.b64decode(one["kinesis"]["data"])) for one in event["Records"]]
    frame = pd.DataFrame(rows)
    scores = kept["model"].predict(frame[kept["names"]], num_threads=1)
    return {"predictions": [{"probability": float(score)} for score in scores]}
