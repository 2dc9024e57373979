"""A prediction service as short as can be: `uvicorn minimal_fastapi:app`; no check, id, log or metric."""

import os

import joblib
import numpy as np
import orjson
from fastapi import FastAPI, Request, Response

app = FastAPI()
kept = joblib.load(os.environ["RECIPE"])


@app.post("/predict")
async def predict(request: Request) -> Response:
    """Score one record."""
    record = orjson.loads(await request.body())
    row = np.array([[record[name] for name in kept["names"]]])
    probability = float(kept["model"].predict(row, num_threads=1)[0])
    answer = [{"prediction": int(probability >= 0.5), "probability": probability}]
    return Response(orjson.dumps(answer), media_type="application/json")
