#!/bin/sh
# Checks the settings before Jenkins starts: there, an error would be one line of a long log.
set -eu

missing=0
need() { # NAME WHAT
    eval "value=\${$1:-}"
    if [ -z "$value" ] && [ ! -s "/run/secrets/$1" ]; then
        echo "start.sh: $1 is not set: $2; see deploy/env.example" >&2
        missing=1
    fi
}
need REPOSITORY_URL "the repository that Jenkins builds"
need JENKINS_ADMIN_PASSWORD "for signing in"
need GITHUB_HOOK_SECRET "what GitHub signs its pushes with"
[ "$missing" -eq 0 ] || exit 78

# Only a warning: DOCKER_HOST may name an engine that is started later.
if ! docker version >/dev/null 2>&1; then
    echo "start.sh: no Docker engine answers: $(docker version 2>&1 >/dev/null | tail -n 1)" >&2
    echo "start.sh: where it says permission denied: DOCKER_GID=\$(stat -c %g /var/run/docker.sock)" >&2
fi
# A variable of casc.yaml without a value stops the start, instead of becoming an empty password.
export CASC_STRICT_SECRET_RESOLUTION=true
exec /usr/local/bin/jenkins.sh "$@"
