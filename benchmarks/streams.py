"""`make bench-streams`: the Lambda function, against the service and a handler of pandas and joblib.

The same model (1,500 trees of 13 leaves, 200 columns) for all. Both handlers run by Lambda's own runtime
client beside a stand-in of Lambda's runtime API. Measured are, in turns: seconds from the start of a
process to its first answer; and milliseconds for an event of 500 records of Kinesis, as the client sees
them (with the event's JSON) and within the handler. The medians are printed, and written to
benchmarks/results/streams.json.
"""

import argparse
import base64
import csv
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
import lightgbm as lgb

from benchmarks.lambda_runtime import LambdaRuntime
from benchmarks.serve import FOLDER, config, model
from benchmarks.serving import ROOT, Server, running
from lightmodel.config.threads import cores
from lightmodel.lambda_function import LambdaFunction
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.store import codec

RESULTS = Path("benchmarks/results/streams.json")
RECORDS = 500
_LONGEST_S = 120
_OURS, _PEER = "lightmodel.lambda_function.handler", "lambda_handler.handler"


def event_of(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return an event of Kinesis with a record for each row."""
    return {
        "Records": [
            {
                "eventSource": "aws:kinesis",
                "eventID": f"shardId-000000000000:{at}",
                "kinesis": {
                    "sequenceNumber": str(at),
                    "partitionKey": str(at),
                    "data": base64.b64encode(json.dumps(row).encode()).decode(),
                },
            }
            for at, row in enumerate(rows)
        ]
    }


def rows_of(served: LoadedModel) -> list[dict[str, Any]]:
    """Return rows of the training table, as often as needed."""
    newest = max((FOLDER / "preprocessed").glob("*/train.csv"))
    with newest.open(encoding="utf-8", newline="") as file:
        lines = list(itertools.islice(csv.DictReader(file), RECORDS))
    names = served.contract.feature_names
    return [{name: float(line[name]) for name in names} for line in lines]


def save_recipe(served: LoadedModel) -> None:
    """Save the model as the peer loads it."""
    bundle = codec.unpickle((served.folder / codec.MODEL).read_bytes(), served.version)
    booster = lgb.Booster(model_str=bundle["model"]["texts"][0])
    kept = {"model": booster, "names": list(served.contract.feature_names)}
    joblib.dump(kept, FOLDER / "lambda.joblib")


@contextmanager
def function(handler: str) -> Iterator[LambdaRuntime]:
    """Run a handler as a Lambda function that writes nothing."""
    with LambdaRuntime().serving() as runtime:
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "benchmarks" / "peers")]),
            "AWS_LAMBDA_RUNTIME_API": runtime.address,
            "LIGHTMODEL__STORE__ROOT": str(FOLDER),
            "LIGHTMODEL__LOG__SINK": "none",
            "LIGHTMODEL__STREAMS__DEDUPE": "none",
            "TEST_RUN": "true",
            "RECIPE": str(FOLDER / "lambda.joblib"),
        }
        command = [sys.executable, "-m", "awslambdaric", handler]
        with subprocess.Popen(
            command, cwd=FOLDER, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                yield runtime
            finally:
                process.kill()


def first_answer(handler: str, event: dict[str, Any]) -> float:
    """Return the seconds from the start of a function to its first answer."""
    started = time.perf_counter()
    with function(handler) as runtime:
        answer = runtime.invoke(event, _LONGEST_S)
        seconds = time.perf_counter() - started
    if answer.kind != "response" or len(answer.content["predictions"]) != 1:
        raise SystemExit(f"{handler} does not answer: {answer}")
    return seconds


def batches(handler: str, event: dict[str, Any], repeats: int) -> list[float]:
    """Return the milliseconds of each event, as the runtime API sees them."""
    with function(handler) as runtime:
        runtime.invoke(event, _LONGEST_S)
        taken = []
        for _ in range(repeats):
            started = time.perf_counter()
            runtime.invoke(event, _LONGEST_S)
            taken.append(1e3 * (time.perf_counter() - started))
    return taken


def in_handler(event: dict[str, Any], repeats: int) -> list[float]:
    """Return the CPU milliseconds of each event within our handler: decoding, validation, scoring."""
    settings = config()
    streams = settings.streams.model_copy(update={"test_run": True, "dedupe": "none"})
    log = settings.log.model_copy(update={"sink": "none"})
    ours = LambdaFunction(settings.model_copy(update={"streams": streams, "log": log}))
    taken = []
    for _ in range(repeats + 1):
        started = time.process_time()
        ours(event, SimpleNamespace(aws_request_id="bench"))
        taken.append(1e3 * (time.process_time() - started))
    return taken[1:]


def service_start(row: dict[str, Any]) -> float:
    """Return the seconds from the start of the service to its first answer."""
    command = (sys.executable, str(ROOT / "app.py"))
    server = Server("light-model", command, "/predict", False, FOLDER, "application/json")
    with running(server, json.dumps([row]).encode()) as started:
        return started.first_s


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    served = model()
    save_recipe(served)
    rows = rows_of(served)
    one, many = event_of(rows[:1]), event_of(rows)
    starts: dict[str, list[float]] = {"service": [], "function": [], "pandas_and_joblib": []}
    for _ in range(options.starts):
        starts["service"].append(service_start(rows[0]))
        starts["function"].append(first_answer(_OURS, one))
        starts["pandas_and_joblib"].append(first_answer(_PEER, one))
    taken = {
        "function": batches(_OURS, many, options.repeats),
        "pandas_and_joblib": batches(_PEER, many, options.repeats),
        "within_the_function_cpu": in_handler(many, options.repeats),
    }
    first_s = {name: round(statistics.median(each), 2) for name, each in starts.items()}
    batch_ms = {name: round(statistics.median(each), 1) for name, each in taken.items()}
    results = {
        "records": RECORDS,
        "first_answer_s": first_s,
        "batch_ms": batch_ms,
        "start_to_service": round(first_s["function"] / first_s["service"], 2),
        "start_to_peer": round(first_s["function"] / first_s["pandas_and_joblib"], 2),
        "batch_to_peer": round(batch_ms["function"] / batch_ms["pandas_and_joblib"], 2),
    }
    print(json.dumps(results, indent=1))
    if options.starts == parser.get_default("starts"):
        machine = {"cores": cores(), "python": platform.python_version()}
        RESULTS.write_text(json.dumps({"machine": machine, **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
