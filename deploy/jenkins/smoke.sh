#!/bin/sh
# smoke.sh IMAGE: starts the image as a deployment does, and smoke-tests it with its own model.
set -eu
image=$1
name=light-model-smoke-${TAG:-latest}

remove() { docker rm -fv "$name" >/dev/null 2>&1 || :; }
remove
trap remove EXIT
trap 'exit 143' HUP INT TERM
docker run -d --name "$name" --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    -p 127.0.0.1::5001 "$image" >/dev/null
docker run --rm "$image" cat /dev/null # while it starts: the image must also run plain commands, as inspection tools do
if ! docker exec "$name" python -m lightmodel smoke --wait 60; then
    docker logs --tail 50 "$name" >&2
    exit 1
fi
