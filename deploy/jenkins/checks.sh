#!/bin/sh
# Quick checks of what was pushed: settings, style and some unit tests; `make test` runs all.
set -eu
image=light-model-checks:${TAG:-latest}
name=light-model-checks-${TAG:-latest}

remove() {
    docker rm -fv "$name" >/dev/null 2>&1 || :
    docker rmi "$image" >/dev/null 2>&1 || :
}
remove # left by a build that Jenkins resumed
trap remove EXIT
trap 'exit 143' HUP INT TERM
docker build --target checks --build-arg "CONFIG=${CONFIG:-config.toml}" --build-arg "EXTRAS=deploy-azure deploy-aws notify ${EXTRAS:-}" -t "$image" .
docker create --name "$name" -u "$(id -u):0" "$image" sh -c '
    python run.py --print-config &&
    ruff check . &&
    python -m pytest -q -n auto -p no:cacheprovider --junitxml=/tmp/checks.xml tests/unit/config tests/unit/contract tests/unit/training
' >/dev/null
code=0
docker start -a "$name" || code=$?
mkdir -p var/jenkins
docker cp "$name:/tmp/checks.xml" var/jenkins/checks.xml 2>/dev/null || :
exit "$code"
