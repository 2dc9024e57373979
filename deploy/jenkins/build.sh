#!/bin/sh
# Builds the image in which the following stages run, and the proxy's; unchanged layers are reused.
set -eu
docker build --target pipeline --build-arg "COMMIT=${GIT_COMMIT:-}" --build-arg "EXTRAS=deploy-azure deploy-aws notify sbom ${EXTRAS:-}" \
    --build-arg "CONFIG=${CONFIG:-config.toml}" \
    -t "light-model-pipeline:${TAG:-latest}" -t light-model-pipeline:latest .
docker build -q --target proxy -t light-model-proxy .
# Removes the images that `latest` named before, which are untagged now; only those of this project.
docker images -q --filter label=light-model.service=pipeline --filter dangling=true | sort -u \
    | while read -r old; do docker rmi "$old" >/dev/null 2>&1 || :; done
