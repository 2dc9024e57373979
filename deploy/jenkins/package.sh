#!/bin/sh
# package.sh NAME:TAG: the serving image of the newest approved model in the store's volume.
#
# The model comes out of the volume into model/ of the workspace, and from there into the image.
set -eu
here=$(dirname "$0")
image=$1

"$here/stage.sh" tool models pack /app/var/work/packed
rm -rf model/2*
"$here/stage.sh" copy work/packed/. model
set -- model/2*
model=${1#model/}
runtime=$(sed -n 's/^ "runtime": "\(.*\)",*$/\1/p' "model/$model/manifest.json")
set -- --build-arg MODEL_FROM=prebuilt --build-arg "MODEL=$model" --build-arg "RUNTIME=$runtime" \
    --build-arg "COMMIT=${GIT_COMMIT:-}" --build-arg "VERSION=${BUILD_NUMBER:-}" \
    --build-arg "CONFIG=${CONFIG:-config.toml}"
if [ -n "${LIGHTMODEL__STORE__SIGNING_KEY:-}" ]; then
    set -- "$@" --secret id=signing_key,env=LIGHTMODEL__STORE__SIGNING_KEY
fi
docker build "$@" -t "$image" .
echo "package.sh: $image serves $model"
