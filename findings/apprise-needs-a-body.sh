#!/usr/bin/env bash
# apprise 2.2.0: a notification with a title and an empty body is not sent, and notify() returns a FAILURE without an exception,
# just as for a channel that is down. A body of one blank is sent. Whoever reports "model is live" by title alone,
# or the empty output of a command as body, hears nothing: always write a body, and look at what notify() returns.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apprise==2.2.0
"$folder/venv/bin/python" - <<'P'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import apprise

arrived = []


class Channel(BaseHTTPRequestHandler):
    def do_POST(self):
        arrived.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Channel)
threading.Thread(target=server.serve_forever, daemon=True).start()
sender = apprise.Apprise()
sender.add(f"json://127.0.0.1:{server.server_port}")
outcomes = []
for body in ("version 7", "", " "):
    before = len(arrived)
    sent = sender.notify(title="model is live", body=body)
    outcomes.append((bool(sent), len(arrived) - before))
    print(f"body {body!r}: {sent!r}, messages at the channel: {outcomes[-1][1]}")
assert outcomes == [(True, 1), (False, 0), (True, 1)]
P
# Seen:
#   body 'version 7': <AppriseResult status='SUCCESS' count=1>, messages at the channel: 1
#   body '': <AppriseResult status='FAILURE' count=1>, messages at the channel: 0
#   body ' ': <AppriseResult status='SUCCESS' count=1>, messages at the channel: 1
