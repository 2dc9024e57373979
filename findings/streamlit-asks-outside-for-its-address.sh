#!/usr/bin/env bash
# Streamlit 1.67.0, started headless with telemetry off: when a page of another site opens its websocket, the server asks a host
# outside, checkip.amazonaws.com, for this machine's public address, to find out whether that site is itself; only then it
# refuses. Any page that a user has open can cause that. server.allowedOrigins or a check before Streamlit avoids it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check streamlit==1.67.0
echo 'import streamlit; streamlit.write("a page")' > "$folder/page.py"
cat > "$folder/foreign.py" <<'P'
import http.client
import http.server
import os
import subprocess
import sys
import threading
import time

asked: list[str] = []


class Proxy(http.server.BaseHTTPRequestHandler):
    """Notes what goes out, and lets nothing through."""

    def do_GET(self) -> None:
        asked.append(self.path)
        self.send_error(502)

    def do_CONNECT(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


def request(origin: str, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Origin": origin, **headers} if origin else headers)
    return connection.getresponse().status


proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
threading.Thread(target=proxy.serve_forever, daemon=True).start()
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as free:
    port = free.server_port
address = f"http://127.0.0.1:{proxy.server_port}"
options = ["--server.headless=true", "--browser.gatherUsageStats=false", "--server.address=127.0.0.1"]
server = subprocess.Popen(
    [sys.executable, "-m", "streamlit", "run", sys.argv[1], f"--server.port={port}", *options],
    env={**os.environ, "http_proxy": address, "https_proxy": address, "no_proxy": ""},
)
try:
    for _ in range(600):
        try:
            if request("", "/_stcore/health") == 200:
                break
        except OSError:
            time.sleep(0.1)
    before = list(asked)
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    upgrade |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
    statuses = [
        request(origin, "/_stcore/stream", **upgrade)
        for origin in (f"http://127.0.0.1:{port}", "http://other.example")
    ]
finally:
    server.terminate()
print(f"RESULT outside, before: {before}; own page: {statuses[0]}, other site: {statuses[1]}")
print(f"RESULT outside, after: {asked[len(before):]}")
assert not before and statuses == [101, 403], (before, statuses)
assert any("checkip.amazonaws.com" in address for address in asked), asked
P
"$folder/venv/bin/python" "$folder/foreign.py" "$folder/page.py" > "$folder/log" 2>&1 || { cat "$folder/log" && exit 1; }
sed -n 's/^RESULT //p' "$folder/log"
# Seen:
#   outside, before: []; own page: 101, other site: 403
#   outside, after: ['http://checkip.amazonaws.com/']
