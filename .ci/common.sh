# shellcheck shell=bash
# What parts begin with. A part is started from anywhere and installs what it needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DEBIAN_FRONTEND=noninteractive CI=true
BASE_IMAGE=python:3.11-slim-bookworm
mkdir -p var/ci

packages() {
    # The list is fetched once for all parts.
    [ -f var/ci/apt ] || apt-get update -qq
    touch var/ci/apt
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
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
