#!/bin/sh
# All that Jenkins jobs do with containers, so that a step of a Jenkinsfile is one line.
#
#   stage.sh chain STAGE… [OPTION…]  python run.py in the pipeline image; exit code 75 (try again later) is retried
#   stage.sh cli WORD…               python -m lightmodel in it, retried likewise
#   stage.sh tool WORD…              python -m lightmodel in it, once, with the Docker engine at hand
#   stage.sh runtime                 print the runtime of the configured model: lightgbm, sklearn, boosters or neural
#   stage.sh package NAME…           the approved model → an image of these names
#   stage.sh lambda NAME…            the same model, after `package` → an image for AWS Lambda
#   stage.sh sign IMAGE…             sign images, where there is a key; what `tool` deploys later is checked by that
#   stage.sh sbom FOLDER IMAGE…      what the images hold, where there are any → FOLDER, one file for each
#   stage.sh fetch FOLDER            report, manifests, verdict, metrics of the newest result, newest logs → FOLDER
#   stage.sh copy PATH FOLDER        PATH of the store's volume (relative to /app/var) → FOLDER
#   stage.sh clean                   remove the containers of this build
#   stage.sh forget NAME…            remove these names of images, where there are any; used images stay
#
# The exit code is that of the command inside; 125: no container could be created. Table and store are in
# named volumes, as -v refers to paths of the engine's host: so an agent that is a container, a bare
# machine or has a remote engine behaves alike.
#
# TAG            of the image light-model-pipeline (default: latest); IMAGE: its whole name
# PREFIX         of the containers' names (default: the job's name), before the stage and BUILD_NUMBER
# STORE_VOLUME   at /app/var (default: light-model-store)
# DATA_VOLUME    at /app/data, read-only (default: light-model-data)
# LOG_VOLUME     the prediction log of the deployed service, at /app/var/log (default: light-model-log)
# RETRY_WAITS    seconds between tries (default: "20 60", which makes three tries)
# SERVICE_ENV    file of NAME=VALUE lines, settings and secrets of the chain and of the deployed service
#                (default: /etc/light-model/service.env, where it is there)
# REASON         why the run was started: `chain` passes it on
# FORCE          true: `chain` runs its stages even if nothing has changed
# RUNTIME        of the image that `package` makes (default: auto, what the model needs)
# CONFIG         of the image that `package` makes (default: config.toml)
# DOCKER_SOCKET  for `tool`: the engine's socket as the engine's host names it
# COSIGN_KEY     the private key for `sign`, or COSIGN_KEY_FILE, its file; COSIGN_PASSWORD: its password
# SIGNATURES     file of this build's signatures (default: var/jenkins/signatures)
# LIGHTMODEL__*, NOTIFY_*, AWS_* and AZURE_* are passed by name, so that no value shows in a list of processes.
# An empty one counts as not set: Jenkins passes a credential that is not filled in as empty.
set -eu

PREFIX=$(printf %s "${PREFIX:-${JOB_BASE_NAME:-light-model}}" | tr -c 'A-Za-z0-9_.-' '-')
NUMBER=${BUILD_NUMBER:-0}
BUILD=$PREFIX-$NUMBER
IMAGE=${IMAGE:-light-model-pipeline:${TAG:-latest}}
STORE_VOLUME=${STORE_VOLUME:-light-model-store}
DATA_VOLUME=${DATA_VOLUME:-light-model-data}
LOG_VOLUME=${LOG_VOLUME:-light-model-log}
RETRY_WAITS=${RETRY_WAITS-20 60}
SIGNATURES=${SIGNATURES:-var/jenkins/signatures}
SERVICE_ENV=${SERVICE_ENV:-/etc/light-model/service.env}
[ -r "$SERVICE_ENV" ] || SERVICE_ENV=
PACKED=light-model-packed:${TAG:-latest}
AGAIN=75
NO_CONTAINER=125
# Files are writable for the group, as the next agent may have another user id.
# shellcheck disable=SC2016 # the shell in the container expands it
INSIDE='umask 002; exec "$@"'
# The agent's file has no path in the container, nor need its user be able to read it: it comes by stdin.
# shellcheck disable=SC2016
WITH_SERVICE_ENV='(umask 077; cat >/tmp/service.env); umask 002; exec "$@" </dev/null'
# The same model gives the same bytes, which alone go to stdout.
# shellcheck disable=SC2016
PACK='
said=$(python -m lightmodel models pack --runtime "$0" /app/var/packed) || exit
printf "%s\n" "$said" >&2
echo "${said##*runtime: }" >/tmp/runtime
chmod -R a+rX,go-w /app/var/packed /tmp/runtime
tar -C / -c --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner app/var/packed tmp/runtime'
# The result is the version tested last: a retry may choose one that is not the newest.
# shellcheck disable=SC2016
COLLECT='
mkdir /tmp/fetched && cd "${LIGHTMODEL__STORE__ROOT:-/app/var/store}" 2>/dev/null || exit 0
model=$(ls -t model/*/verdict.json 2>/dev/null | head -n 1)
[ -n "$model" ] || model=$(ls model/*/manifest.json 2>/dev/null | tail -n 1)
split=$(ls preprocessed/*/manifest.json 2>/dev/null | tail -n 1)
for kept in "$model" "$split"; do
    [ -z "$kept" ] || find "${kept%/*}" -type f \( -name "*.json" -o -name "*.html" \) \
        -exec cp --parents {} /tmp/fetched \;
done
for log in $(ls logs/*.log 2>/dev/null | tail -n 5); do cp --parents "$log" /tmp/fetched; done'

say() { printf '%s\n' "stage.sh: $*" >&2; }

usage() {
    say "usage: stage.sh chain STAGE… | cli WORD… | tool WORD… | runtime | package NAME… |" \
        "lambda NAME… | sign IMAGE… | sbom FOLDER IMAGE… | fetch FOLDER | copy PATH FOLDER | clean |" \
        "forget NAME…"
    exit 2
}

# Also run at exit, so that an aborted build leaves no container.
remove() { docker rm -fv "$name" >/dev/null 2>&1 || :; }

# create NAME OPTION… IMAGE COMMAND…
create() {
    name=$1
    shift
    remove # left by a build that Jenkins resumed
    trap remove EXIT
    trap 'exit 143' HUP INT TERM
    docker create --pull never --name "$name" --label "light-model.build=$BUILD" \
        -u "$(id -u):0" -v "$STORE_VOLUME:/app/var" "$@" >/dev/null || return "$NO_CONTAINER"
}

# In the background: a shell that waits for a foreground process does not receive the abort. A background
# process has /dev/null as standard input, unless that comes by another descriptor.
start() {
    exec 3<&0
    docker start --attach --interactive "$name" <&3 &
    wait "$!"
}

# work NAME OPTION… IMAGE COMMAND… : run with the environment's settings and the table's volume.
work() {
    name=$1
    shift
    for setting in $(env | sed -nE 's/^((LIGHTMODEL__|NOTIFY_|AWS_|AZURE_)[A-Za-z0-9_]*)=.+/\1/p'); do
        set -- -e "$setting" "$@"
    done
    [ -z "$SERVICE_ENV" ] || set -- --env-file "$SERVICE_ENV" "$@"
    create "$name" -v "$DATA_VOLUME:/app/data:ro" -v "$LOG_VOLUME:/app/var/log" "$@" || return
    code=0
    start || code=$?
    remove
    return "$code"
}

# insist NAME COMMAND… : `work` in the pipeline image, retried after exit code 75.
insist() {
    what=$1
    shift
    waits=$RETRY_WAITS
    while :; do
        code=0
        work "$PREFIX-$what-$NUMBER" "$IMAGE" sh -c "$INSIDE" sh "$@" || code=$?
        if [ "$code" -ne "$AGAIN" ] || [ -z "$waits" ]; then
            return "$code"
        fi
        say "$what: exit code $AGAIN, the next try is in ${waits%% *} s"
        sleep "${waits%% *}"
        case $waits in *' '*) waits=${waits#* } ;; *) waits= ;; esac
    done
}

chain() {
    [ "$#" -gt 0 ] || usage
    [ "${FORCE:-}" != true ] || set -- "$@" --force
    [ -z "${REASON:-}" ] || set -- "$@" --reason "$REASON"
    insist "$1" python run.py "$@"
}

cli() {
    [ "$#" -gt 0 ] || usage
    insist "$1" python -m lightmodel "$@"
}

# Options that give the container access to this client's engine, one per line.
engine() {
    case ${DOCKER_HOST:-unix:///var/run/docker.sock} in
        unix://*)
            socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
            group=$(stat -L -c %g "${socket#unix://}") || return
            printf '%s\n' -v "${DOCKER_SOCKET:-${socket#unix://}}:/var/run/docker.sock" \
                --group-add "$group" -e DOCKER_HOST=unix:///var/run/docker.sock
            ;;
        *) printf '%s\n' -e DOCKER_HOST ;;
    esac
}

tool() {
    [ "$#" -gt 0 ] || usage
    words=$(engine)
    inside=$INSIDE
    if [ -s "$SIGNATURES" ]; then
        LIGHTMODEL__DEPLOY__SIGNATURES=$(cat "$SIGNATURES")
        export LIGHTMODEL__DEPLOY__SIGNATURES
    fi
    if [ -n "$SERVICE_ENV" ]; then
        export LIGHTMODEL__DEPLOY__ENV_FILE=/tmp/service.env
        inside=$WITH_SERVICE_ENV
    fi
    # shellcheck disable=SC2086 # words of ours, without blanks
    work "$PREFIX-$1-$NUMBER" $words --interactive "$IMAGE" \
        sh -c "$inside" sh python -m lightmodel "$@" <"${SERVICE_ENV:-/dev/null}"
}

fetch() {
    [ "$#" -eq 1 ] || usage
    exists "$IMAGE" || return 0 # nothing was built, so there are no results
    create "$PREFIX-fetch-$NUMBER" "$IMAGE" sh -c "$COLLECT"
    start </dev/null
    mkdir -p "$1"
    docker cp "$name:/tmp/fetched/." "$1"
}

copy() {
    [ "$#" -eq 2 ] || usage
    create "$PREFIX-copy-$NUMBER" "$IMAGE"
    mkdir -p "$2"
    docker cp "$name:/app/var/$1" "$2"
}

# The runtime that a model needs, by the settings.
runtime() { insist runtime python -m lightmodel runtime; }

# The model leaves the volume as an image without a system, which takes the place of the Dockerfile's stage `packed`.
package() {
    [ "$#" -gt 0 ] || usage
    mkdir -p var
    insist package sh -c "$PACK" "${RUNTIME:-auto}" >var/packed.tar || return
    model=$(tar -tf var/packed.tar | sed -n 's#^app/var/packed/\(2[^/]*\)/$#\1#p')
    docker import --change "LABEL light-model.model=$model" var/packed.tar "$PACKED" >/dev/null
    rm var/packed.tar
    model_image serve "$@"
}

lambda() {
    [ "$#" -gt 0 ] || usage
    model_image lambda "$@"
}

# The key reaches the container by its environment: no command line and no file of the agent shows it.
sign() {
    [ "$#" -gt 0 ] || usage
    [ -z "${COSIGN_KEY_FILE:-}" ] || COSIGN_KEY=$(cat "$COSIGN_KEY_FILE")
    if [ -z "${COSIGN_KEY:-}" ]; then
        say "there is no COSIGN_KEY: nothing is signed"
        return
    fi
    export LIGHTMODEL__DEPLOY__SIGNING_KEY="$COSIGN_KEY"
    export LIGHTMODEL__DEPLOY__SIGNING_PASSWORD="${COSIGN_PASSWORD:-}"
    mkdir -p "$(dirname "$SIGNATURES")"
    for image in "$@"; do
        signed=$(tool sign "$image")
        printf '%s\n' "$signed" >>"$SIGNATURES"
        say "signed $image"
    done
}

sbom() {
    [ "$#" -gt 1 ] || usage
    folder=$1
    shift
    exists "$IMAGE" || return 0 # nothing was built, so there is nothing to list, and nothing to list it with
    mkdir -p "$folder"
    for image in "$@"; do
        exists "$image" || continue
        file=$folder/$(basename "${image%:*}").cdx.json
        tool sbom "$image" >"$file.part"
        mv "$file.part" "$file"
    done
}

# model_image TARGET NAME… : the packed model → an image of a target of the Dockerfile.
model_image() {
    target=$1
    shift
    for image in "$@"; do
        set -- "$@" -t "$image"
        shift
    done
    model=$(docker image inspect --format '{{index .Config.Labels "light-model.model"}}' "$PACKED")
    commit=$(git rev-parse HEAD)
    export DOCKER_BUILDKIT=1
    docker build -q --target "$target" --build-arg PACKED_FROM="$PACKED" --build-arg MODEL="$model" \
        --build-arg SOURCE="$(source_url)" \
        --build-arg COMMIT="$commit" --build-arg VERSION="$(git describe --tags --always)" \
        --build-arg CONFIG="${CONFIG:-config.toml}" "$@" .
}

# Where the code comes from, without a user's name or password.
source_url() { git config --get remote.origin.url | sed 's#//[^/]*@#//#'; }

exists() { docker image inspect "$1" >/dev/null 2>&1; }

forget() {
    for image in "$@"; do
        ! exists "$image" || docker rmi "$image" >/dev/null
    done
}

clean() {
    docker ps -aq --filter "label=light-model.build=$BUILD" | while read -r left; do
        docker rm -fv "$left" >/dev/null
    done
}

case ${1:-} in
    chain | cli | tool | runtime | package | lambda | sign | sbom | fetch | copy | clean | forget)
        command=$1
        shift
        "$command" "$@"
        ;;
    *) usage ;;
esac
