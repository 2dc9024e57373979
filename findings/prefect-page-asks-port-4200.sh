#!/usr/bin/env bash
# Prefect 3.8.8: `prefect server start --port 4321` serves its page on that port, but tells the page that the API is on port 4200: the
# browser shows an empty Prefect, or the data of another server that happens to be there. PREFECT_UI_API_URL says where the API is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prefect==3.8.8 fastapi==0.139.2
cat > "$folder/page.py" <<'P'
import http.client
import json
import os
import socket
import subprocess
import sys
import time


def api_of_the_page(**more: str) -> tuple[int, str]:
    """Return the port of a server, and the address that its page is told."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {**os.environ, "PREFECT_HOME": sys.argv[1], "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    variables |= {name: value.format(port=port) for name, value in more.items()}
    command = [sys.executable, "-m", "prefect", "--no-prompt", "server", "start", "--port", str(port)]
    server = subprocess.Popen([*command, "--host", "127.0.0.1"], env=variables)
    try:
        for _ in range(1800):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                connection.request("GET", "/ui-settings")
                return port, json.loads(connection.getresponse().read())["api_url"]
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server does not answer")
    finally:
        server.terminate()
        server.wait()


port, told = api_of_the_page()
print("RESULT the page is told", told, "and the server is there:", str(port) in told)
assert ":4200/" in told, told
port, told = api_of_the_page(PREFECT_UI_API_URL="http://127.0.0.1:{port}/api")
print("RESULT with PREFECT_UI_API_URL the server is there:", str(port) in told)
assert str(port) in told, told
P
"$folder/venv/bin/python" "$folder/page.py" "$folder/home" > "$folder/log" 2>&1 || { cat "$folder/log" && exit 1; }
sed -n 's/^RESULT //p' "$folder/log"
# Seen:
#   the page is told http://127.0.0.1:4200/api and the server is there: False
#   with PREFECT_UI_API_URL the server is there: True
