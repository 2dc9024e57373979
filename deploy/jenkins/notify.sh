#!/bin/sh
# notify.sh TITLE [BODY]: notifies of a build that failed, by two ways that do not depend on each other:
#
#   NOTIFY_URL   is sent {"text": "TITLE\nBODY"} by curl or wget, which needs nothing that a build makes, not
#                even a Docker engine. Slack, Mattermost and Google Chat take it. From the environment or
#                the file SERVICE_ENV (default: /etc/light-model/service.env).
#   [[notify]]   of the settings: the receivers of `message`, by the pipeline image of this build, or else
#                of the last one that made an image.
#
# Exit code 1: no way accepted the message.
set -eu
title=${1:?usage: notify.sh TITLE [BODY]}
body=${2:-}
here=$(dirname "$0")
settings=${SERVICE_ENV:-/etc/light-model/service.env}
url=${NOTIFY_URL:-}
if [ -z "$url" ] && [ -r "$settings" ]; then
    url=$(sed -n 's/^NOTIFY_URL=//p' "$settings")
fi

say() { printf '%s\n' "notify.sh: $*" >&2; }

json() { printf %s "$1" | tr '[:cntrl:]' ' ' | sed 's/[\\"]/\\&/g'; }

# The URL is a secret: it comes by standard input, so that no list of processes shows it.
post() {
    content="{\"text\": \"$(json "$title")\\n$(json "$body")\"}"
    if command -v curl >/dev/null; then
        printf 'url = "%s"\n' "$url" | curl -fsS -m 30 --retry 2 -o /dev/null \
            -H 'Content-Type: application/json' -d "$content" -K -
    elif command -v wget >/dev/null; then
        printf '%s\n' "$url" | wget -q -T 30 -t 3 -O /dev/null \
            --header='Content-Type: application/json' --post-data="$content" -i -
    else
        say "NOTIFY_URL needs curl or wget, and the agent has neither"
        return 1
    fi
}

pipeline_image() {
    for tag in "${TAG:-latest}" latest; do
        ! docker image inspect "light-model-pipeline:$tag" >/dev/null 2>&1 || { echo "$tag"; return; }
    done
}

told=no
if [ -z "$url" ]; then
    say "NOTIFY_URL is not set"
elif post; then
    told=yes
    say "sent to NOTIFY_URL"
else
    say "NOTIFY_URL did not accept the message"
fi
tag=$(pipeline_image)
if [ -z "$tag" ]; then
    say "there is no pipeline image, so the receivers of the settings cannot be notified"
elif TAG=$tag IMAGE='' sh "$here/stage.sh" tool notify "$title" --body "$body"; then
    told=yes
else
    say "light-model-pipeline:$tag could not notify the receivers of the settings"
fi
[ "$told" = yes ] || { say "NOBODY WAS NOTIFIED of: $title"; exit 1; }
