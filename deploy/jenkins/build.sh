#!/bin/sh
# The image that the following stages run in; layers that have not changed are reused.
set -eu
docker build --target pipeline --build-arg "COMMIT=${GIT_COMMIT:-}" --build-arg "EXTRAS=deploy-azure notify ${EXTRAS:-}" \
    --build-arg "CONFIG=${CONFIG:-config.toml}" \
    -t "light-model-pipeline:${TAG:-latest}" -t light-model-pipeline:latest .
# What `latest` named before has no name now. Only images of ours are looked at.
docker images -q --filter label=light-model.service=pipeline --filter dangling=true | sort -u \
    | while read -r old; do docker rmi "$old" >/dev/null 2>&1 || :; done
