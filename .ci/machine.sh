# shellcheck shell=bash
# Where no image can be pulled, tools beside the clone start an engine and make the base image.
TOOLS=../shared/tools
if [ -x "$TOOLS/start_dockerd.sh" ]; then
    docker_engine() {
        packages docker.io iptables debootstrap
        eval "$("$TOOLS/start_dockerd.sh")"
        "$TOOLS/docker_plugins.sh"
        "$TOOLS/local_base_image.sh" "$BASE_IMAGE"
        docker buildx version
        docker compose version
    }
fi
export JENKINSFILE_RUNNER=$TOOLS/run_jenkinsfile.groovy
