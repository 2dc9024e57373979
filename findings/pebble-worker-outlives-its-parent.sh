#!/usr/bin/env bash
# pebble 5.2.3: a worker of a ProcessPool in the middle of a task goes on when its parent is killed with SIGKILL.
# multiprocessing's own daemon flag does not help, for it works when the parent ends by itself. Who trains models in such
# workers needs a watcher in each (multiprocessing.parent_process().join(), then os._exit).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pebble==5.2.3
cat > "$folder/parent.py" <<'P'
import multiprocessing
import os
import sys
import time
from pathlib import Path

from pebble import ProcessPool


def work(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(30)


if __name__ == "__main__":
    pool = ProcessPool(1, context=multiprocessing.get_context("spawn"))
    pool.schedule(work, args=(sys.argv[1],), timeout=600)
    time.sleep(60)
P
cd "$folder"
"$folder/venv/bin/python" parent.py "$folder/worker" &
parent=$!
for _ in $(seq 200); do [ -s "$folder/worker" ] && break; sleep 0.1; done
worker=$(cat "$folder/worker")
kill -9 "$parent"
wait "$parent" 2>/dev/null || true
sleep 5
if kill -0 "$worker" 2>/dev/null; then
    echo "five seconds after its parent was killed, the worker is still there"
    kill -9 "$worker"
else
    echo "the worker ended with its parent" && exit 1
fi
# Seen:
#   five seconds after its parent was killed, the worker is still there
