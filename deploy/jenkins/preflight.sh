#!/bin/sh
# Reports everything that the agent lacks, with what to do about it. Needs only docker and git.
set -eu
MEGABYTES=${MEGABYTES:-6000}
missing=0

lacks() {
    missing=$((missing + 1))
    printf 'preflight: %s\n           → %s\n' "$1" "$2" >&2
}

if ! command -v git >/dev/null; then
    lacks "git is not on the PATH" "install git on the agent"
fi
if ! command -v docker >/dev/null; then
    lacks "docker is not on the PATH" "install Docker's client on the agent (docs/runbook.md, Jenkins)"
elif ! said=$(docker version --format '{{.Server.Version}}, API {{.Server.APIVersion}}' 2>&1); then
    case $said in
        *"permission denied"*)
            lacks "the engine's socket may not be opened by $(id -un 2>/dev/null || id -u)" \
                "add the agent's user to the socket's group (compose: DOCKER_GID), then restart the agent" ;;
        *"too old"*)
            lacks "$said" "install a newer Docker client: today's engines want API 1.44 or later" ;;
        *)
            lacks "no Docker engine answers: $said" "start it, or set DOCKER_HOST" ;;
    esac
else
    echo "preflight: Docker engine $said"
    docker buildx version >/dev/null 2>&1 \
        || lacks "docker buildx is missing, and the Dockerfile needs BuildKit" "install Docker's buildx plugin"
fi
free=$(df -Pm . | awk 'NR == 2 { print $4 }')
if [ "$free" -lt "$MEGABYTES" ]; then
    lacks "$free MB are free in the workspace, and a build wants $MEGABYTES" \
        "free some space: old images (docker images --filter label=light-model.service), old builds"
fi
settings=${SERVICE_ENV:-/etc/light-model/service.env}
if [ -e "$settings" ] && [ ! -r "$settings" ]; then
    lacks "$settings may not be read by $(id -un 2>/dev/null || id -u)" "give it to the agent's user"
fi
if [ "$missing" -gt 0 ]; then
    echo "preflight: $missing things are missing on this agent" >&2
    exit 1
fi
echo "preflight: $free MB free; nothing is missing"
