"""Send one request to the service; `deploy docker` runs this in the proxy's container.

ask.py URL [FILE]: GET, or POST FILE as JSON. Prints {"status", "body"}; status 0: no response.
LIGHTMODEL_KEY: the API key, if the service requires one.
"""

import http.client
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

TIMEOUT_S = 20


def main() -> None:
    """Send the request, and print the response."""
    data = Path(sys.argv[2]).read_bytes() if len(sys.argv) > 2 else None
    headers = {"Content-Type": "application/json"} if data else {}
    if key := os.environ.get("LIGHTMODEL_KEY"):
        headers["X-API-Key"] = key
    request = urllib.request.Request(sys.argv[1], data, headers)  # noqa: S310 — http, by `deploy docker`
    # What it asks is in its own network: HTTP_PROXY, which Docker passes on, does not lead there.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            response = {"status": answer.status, "body": answer.read().decode()}
    except urllib.error.HTTPError as error:
        response = {"status": error.code, "body": error.read().decode(errors="replace")}
    except (OSError, http.client.HTTPException) as error:
        response = {"status": 0, "body": str(error)}
    print(json.dumps(response))  # noqa: T201 — its answer


if __name__ == "__main__":
    main()
