"""Send one request to the service; `deploy docker` runs this in the proxy's container.

ask.py URL [FILE]: GET, or POST FILE as JSON. Prints {"status", "body"}; status 0: no response.

LIGHTMODEL_KEY: the API key, if the service requires one.
LIGHTMODEL_WAIT_S: repeat until the status is 200, for that many seconds.
LIGHTMODEL_WATCH_S: repeat until the status is not 200, for that many seconds.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

OK = 200
TIMEOUT_S = 20
POLL_S = 0.1


def main() -> None:
    """Send the request, once or until its status changes, and print the last response."""
    wait_s, watch_s = (
        float(os.environ.get(f"LIGHTMODEL_{name}_S") or 0) for name in ("WAIT", "WATCH")
    )
    ends = time.monotonic() + max(wait_s, watch_s)
    while True:
        response = ask()
        left = ends - time.monotonic()
        if left <= 0 or (response["status"] == OK) != (watch_s > 0):
            break
        time.sleep(min(POLL_S, left))
    print(json.dumps(response))  # noqa: T201 — its answer


def ask() -> dict[str, int | str]:
    """Send the request, and return status and body of the response."""
    data = Path(sys.argv[2]).read_bytes() if len(sys.argv) > 2 else None
    headers = {"Content-Type": "application/json"} if data else {}
    if key := os.environ.get("LIGHTMODEL_KEY"):
        headers["X-API-Key"] = key
    request = urllib.request.Request(sys.argv[1], data, headers)  # noqa: S310 — http, by `deploy docker`
    # What it asks is in its own network: HTTP_PROXY, which Docker passes on, does not lead there.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return {"status": answer.status, "body": answer.read().decode()}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": error.read().decode(errors="replace")}
    except (OSError, http.client.HTTPException) as error:
        return {"status": 0, "body": str(error)}


if __name__ == "__main__":
    main()
