# shellcheck shell=bash
# What parts begin with. A part is started from anywhere and installs what it needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DEBIAN_FRONTEND=noninteractive CI=true
# Each of a thousand processes would compile the package anew.
export PYTHONDONTWRITEBYTECODE=
# Nor need pip compile all that it installs, a third of its time: what is imported is compiled then. Pip takes the
# value for that of its option --compile, so 0 means not to.
export PIP_NO_COMPILE=0
# Tests run in another order for each commit, and in the same one whenever that commit is tested.
PYTEST_ADDOPTS="--randomly-seed=$((16#$(git rev-parse --short=7 HEAD 2>/dev/null || echo 0)))"
export PYTEST_ADDOPTS
BASE_IMAGE=python:3.11-slim-bookworm
mkdir -p var/ci/coverage

one_at_a_time() {
    # Parts that run side by side share one environment and one package manager.
    flock var/ci/lock "$@"
}

packages() {
    # The list is fetched once for all parts.
    [ -f var/ci/apt ] || one_at_a_time apt-get update -qq
    touch var/ci/apt
    one_at_a_time apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# marked_tests NAME MARKERS [ARGUMENTS OF PYTEST]: MARKERS may use a variable of the Makefile. With branch coverage, of which the part `coverage` makes one; nothing is skipped.
marked_tests() {
    one_at_a_time make .venv/.requirements-dev
    one_at_a_time .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/ci.txt
    .venv/bin/python .ci/untraced_imports.py
    PATH="$PWD/var/ci/node_modules/.bin:$PWD/.venv/bin:$PWD/var/ci/bin:$PATH" \
        COVERAGE_FILE="$PWD/var/ci/coverage/$1" \
        make test-marked MARKED="$2" \
        ARGS="${*:3} --durations=25 --junitxml=var/ci/$1.xml --cov --cov-report= --cov-fail-under=0"
    .venv/bin/python .ci/nothing_skipped.py "var/ci/$1.xml"
}

docker_engine() {
    command -v dockerd >/dev/null || packages docker.io iptables
    docker info >/dev/null 2>&1 || { dockerd >var/ci/dockerd.log 2>&1 & }
    for _ in $(seq 60); do docker info >/dev/null 2>&1 && break; sleep 1; done
    docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 || docker pull -q "$BASE_IMAGE"
    docker buildx version
    docker compose version
}

# A machine that differs (it can pull no image, say) says so in this file, by defining the functions above anew.
# shellcheck source=/dev/null
[ ! -f .ci/machine.sh ] || . .ci/machine.sh
