#!/bin/sh
# Quick checks of what was pushed: settings, style, and of some unit tests those that the changes since the last
# good build can affect (tests/affected.py); `make test` runs all.
set -eu
image=light-model-checks:${TAG:-latest}
name=light-model-checks-${TAG:-latest}

# The names of the files that have changed; any other word stands for a change that affects everything.
changed() {
    if [ "${FORCE:-}" = true ]; then
        echo everything
    else
        git diff --name-only "${GIT_PREVIOUS_SUCCESSFUL_COMMIT:-none}" HEAD 2>/dev/null || echo everything
    fi
}

remove() {
    docker rm -fv "$name" >/dev/null 2>&1 || :
    docker rmi "$image" >/dev/null 2>&1 || :
}
remove # left by a build that Jenkins resumed
trap remove EXIT
trap 'exit 143' HUP INT TERM
docker build --target checks --build-arg "CONFIG=${CONFIG:-config.toml}" --build-arg "EXTRAS=deploy-azure deploy-aws notify sbom ${EXTRAS:-}" -t "$image" .
docker create --interactive --name "$name" -u "$(id -u):0" "$image" sh -c '
    python run.py --print-config &&
    ruff check . &&
    tests=$(python -m tests.affected tests/unit/config tests/unit/contract tests/unit/training) &&
    if [ -n "$tests" ]; then
        python -m pytest -q -n auto -p no:cacheprovider --junitxml=/tmp/checks.xml $tests
    else
        echo "the changes can affect none of the unit tests of settings, contract and training"
    fi
' >/dev/null
code=0
changed | docker start --attach --interactive "$name" || code=$?
mkdir -p var/jenkins
docker cp "$name:/tmp/checks.xml" var/jenkins/checks.xml 2>/dev/null || :
exit "$code"
