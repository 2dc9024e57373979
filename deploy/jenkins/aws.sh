#!/bin/sh
# Deploys to AWS Lambda, or, with LIGHTMODEL__AWS__HOST, to that EC2 instance.
#
#   aws.sh image               print the name of the image that is deployed
#   aws.sh package             make it, after `stage.sh package "light-model:$TAG"`
#   aws.sh sign                sign it, where there is a key
#   aws.sh deploy [OPTION…]    deploy it, with options of `deploy aws`
#
# TAG is that of the images; credentials come from AWS_… variables, and aws.… of config.toml names the rest.
set -eu

stage() { sh "${0%/*}/stage.sh" "$@"; }

image=light-model-lambda:${TAG:-latest}
[ -z "${LIGHTMODEL__AWS__HOST:-}" ] || image=light-model:${TAG:-latest}
case ${1:-} in
    image) echo "$image" ;;
    package) [ -n "${LIGHTMODEL__AWS__HOST:-}" ] || stage lambda "$image" ;;
    sign) stage sign "$image" ;;
    deploy)
        shift
        export LIGHTMODEL__AWS__TOOL_IMAGE="${LIGHTMODEL__AWS__TOOL_IMAGE:-light-model-pipeline:${TAG:-latest}}"
        stage tool deploy aws --image "$image" "$@"
        ;;
    *)
        echo "usage: aws.sh image | package | sign | deploy [OPTION…]" >&2
        exit 2
        ;;
esac
