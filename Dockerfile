# docker build -t light-model .            trains, and serves what was approved
# docker build --build-arg MODEL_FROM=prebuilt -t light-model .     serves the newest approved model in model/
# docker build --target lambda -t light-model-lambda .     the same model as an AWS Lambda function
#
# base ┬ tools ┬ libraries ┬ checks
#      │       │           └ pipeline ┬ trained ──┐
#      │       │                      ├ prebuilt ─┴ packed ┬────────┐
#      │       │                      └ settings ───── runtime ┐    │
#      │       └ serve-libraries ──────────────────────────────┤    │
#      ├──────────────────────────────────────── serve, lambda ────┘
#      └ proxy, notifier, console
ARG PYTHON=3.11-slim-bookworm
ARG MODEL_FROM=trained
# An image that holds what the stage `packed` holds of a model and its runtime may take its place.
ARG PACKED_FROM=packed
ARG RUNTIME_FROM=${PACKED_FROM}

FROM python:${PYTHON} AS base
# LightGBM needs OpenMP's library, and slim images have none.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/*
# Python's images hold no compiled standard library: each command, health check and worker would compile what it imports.
RUN python -m compileall -q --invalidation-mode unchecked-hash \
      -x '/(site-packages|tests?|unittest|idlelib|lib2to3|tkinter|turtledemo|ensurepip|distutils|pydoc_data|xmlrpc|curses|dbm)/|/(turtle|pydoc|doctest|mailbox|_pyio|_pydecimal)\.py' \
      "$(python -c 'import os; print(os.path.dirname(os.__file__))')"
COPY --chmod=0755 deploy/healthy.sh /usr/local/bin/healthy
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1
WORKDIR /app
ARG PYTHON
LABEL org.opencontainers.image.title=light-model \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.base.name=python:${PYTHON}

FROM base AS code
ARG CONFIG=config.toml
COPY . .
COPY ${CONFIG} config.toml
# Whatever the umask of the checkout was, any user may read; nothing is compiled at each start, and the same
# code makes the same bytes.
RUN rm -rf model preprocessed tests benchmarks docs \
 && chmod -R a+rX,go-w . \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash lightmodel

FROM base AS tools
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev openssh-client \
 && rm -rf /var/lib/apt/lists/*

FROM tools AS libraries
COPY requirements.txt ./
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv --without-pip /opt/venv \
 && /usr/local/bin/python -m pip --python /opt/venv/bin/python --cache-dir /var/cache/pip \
      install --disable-pip-version-check --quiet --require-hashes -r requirements.txt
# Names of requirements/*.txt, such as "s3 postgres": other ones leave the layer above as it is.
ARG EXTRAS=""
COPY requirements/ requirements/
RUN --mount=type=cache,target=/var/cache/pip \
    set -- -r requirements.txt \
 && for extra in $EXTRAS; do set -- "$@" -r "requirements/$extra.txt"; done \
 && [ "$#" -eq 2 ] || /usr/local/bin/python -m pip --python /opt/venv/bin/python --cache-dir /var/cache/pip \
      install --disable-pip-version-check --quiet --require-hashes "$@"

FROM libraries AS pipeline
COPY --from=code /app /app
ARG COMMIT=""
# What a volume that is mounted here for the first time looks like: any user of group 0 may write.
RUN echo "$COMMIT" > COMMIT && install -d -m 2775 var var/store var/work var/log
ENV LIGHTMODEL__STORE__ROOT=/app/var/store LIGHTMODEL__STORE__WORK=/app/var/work \
    LIGHTMODEL__LOG__FOLDER=/app/var/log \
    LIGHTMODEL__TRACKING__FOLDER=/app/var/model-development LIGHTMODEL__TRACKING__REGISTERED_MODEL=light-model
ARG SOURCE=""
LABEL light-model.service=pipeline \
      org.opencontainers.image.source=${SOURCE} \
      org.opencontainers.image.revision=${COMMIT}
USER 10001:0
CMD ["python", "run.py"]

FROM libraries AS checks
RUN --mount=type=cache,target=/var/cache/pip \
    /usr/local/bin/python -m pip --python /opt/venv/bin/python --cache-dir /var/cache/pip \
      install --disable-pip-version-check --quiet --require-hashes -r requirements/dev.txt
ARG CONFIG=config.toml
COPY . .
COPY ${CONFIG} config.toml
RUN chmod -R a+rwX /app
USER 10001:0

FROM pipeline AS trained
# What MLflow keeps beside a build is gone with it; a server's address is worth telling it.
ARG TRACKING_URI=none
# --secret id=signing_key,src=FILE signs; the key stays out of every layer.
RUN --mount=type=secret,id=signing_key,mode=0444 \
    key=/run/secrets/signing_key; [ ! -f "$key" ] || export LIGHTMODEL__STORE__SIGNING_KEY_FILE="$key"; \
    LIGHTMODEL__TRACKING__URI="$TRACKING_URI" python run.py

FROM pipeline AS prebuilt
COPY --chown=10001:0 model/ /app/var/store/model/

# Which libraries serve the model: those that it needs, or wider ones by --build-arg RUNTIME=lightgbm.
# checkov:skip=CKV_DOCKER_7:it is a stage of this file, and has no tag
# hadolint ignore=DL3006
FROM ${MODEL_FROM} AS packed
ARG RUNTIME=auto
RUN --mount=type=secret,id=signing_key,mode=0444 \
    key=/run/secrets/signing_key; [ ! -f "$key" ] || export LIGHTMODEL__STORE__SIGNING_KEY_FILE="$key"; \
    packed=$(python -m lightmodel models pack --runtime "$RUNTIME" /app/var/packed) \
 && echo "${packed##*runtime: }" > /tmp/runtime \
 && chmod -R a+rX,go-w /app/var/packed

# hadolint ignore=DL3006
FROM ${PACKED_FROM} AS model

# --build-arg RUNTIME_FROM=settings installs what the model will need before there is one.
FROM pipeline AS settings
ARG RUNTIME=auto
RUN case "$RUNTIME" in auto) python -m lightmodel runtime ;; *) echo "$RUNTIME" ;; esac > /tmp/runtime \
 && sed -i 's/^lightgbm$/compiled/' /tmp/runtime

# hadolint ignore=DL3006
FROM ${RUNTIME_FROM} AS runtime

FROM tools AS serve-libraries
COPY --from=runtime /tmp/runtime /tmp/runtime
COPY requirements/ requirements/
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv --without-pip /opt/venv \
 && /usr/local/bin/python -m pip --python /opt/venv/bin/python --cache-dir /var/cache/pip \
      install --disable-pip-version-check --quiet --require-hashes -r "requirements/serve-$(cat /tmp/runtime).txt"
# Serving reads no tests, headers or symbols; what is left must still load.
COPY deploy/trim.py ./
RUN python trim.py /opt/venv

FROM base AS proxy
RUN apt-get update \
 && apt-get install -y --no-install-recommends nginx-light \
 && rm -rf /var/lib/apt/lists/*
COPY --chmod=0644 deploy/proxy/nginx.conf /etc/nginx/nginx.conf
COPY --chmod=0644 deploy/proxy/ask.py /usr/local/lib/ask.py
# Which container is live is kept in a volume that is mounted here.
RUN install -d -m 2775 /var/lib/live
LABEL light-model.service=proxy
USER 10001:0
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["healthy", "5001", "/-/proxy"]
CMD ["nginx"]

FROM tools AS notifier-libraries
COPY requirements/ requirements/
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv --without-pip /opt/venv \
 && /usr/local/bin/python -m pip --python /opt/venv/bin/python --cache-dir /var/cache/pip \
      install --disable-pip-version-check --quiet --require-hashes -r requirements/notifier.txt

# Receives Alertmanager's alerts, and notifies the receivers; needs no model.
FROM base AS notifier
ENV LIGHTMODEL__STORE__WORK=/app/var
COPY --from=notifier-libraries /opt/venv /opt/venv
COPY --from=code /app/config.toml ./
COPY --from=code /app/lightmodel lightmodel/
# Mount a volume here to keep what is not delivered yet.
RUN install -d -m 2775 var
LABEL light-model.service=notifier
USER 10001:0
EXPOSE 9095
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["healthy", "9095", "/health"]
CMD ["python", "-m", "lightmodel", "alerts", "--host", "0.0.0.0"]

FROM tools AS console-libraries
COPY requirements/ requirements/
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv --without-pip /opt/venv \
 && /usr/local/bin/python -m pip --python /opt/venv/bin/python --cache-dir /var/cache/pip \
      install --disable-pip-version-check --quiet --require-hashes -r requirements/console.txt
COPY deploy/trim.py ./
RUN python trim.py /opt/venv

# The front end in a browser; it knows the service by its address and key, and needs no model.
FROM base AS console
ENV LIGHTMODEL__CONSOLE__HOST=0.0.0.0 LIGHTMODEL__CONSOLE__FOLDER=/app/var
COPY --from=console-libraries /opt/venv /opt/venv
COPY --from=code /app/config.toml ./
COPY --from=code /app/lightmodel lightmodel/
# For the answers to files; mount a volume here, for a container's /tmp may be memory.
RUN install -d -m 2775 var
LABEL light-model.service=console
USER 10001:0
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD healthy "${LIGHTMODEL__CONSOLE__PORT:-8501}" "${LIGHTMODEL__CONSOLE__BASE_PATH:+/$LIGHTMODEL__CONSOLE__BASE_PATH}/_stcore/health"
CMD ["python", "-m", "lightmodel", "console"]

FROM serve-libraries AS lambda-libraries
RUN --mount=type=cache,target=/var/cache/pip \
    /usr/local/bin/python -m pip --python /opt/venv/bin/python --cache-dir /var/cache/pip \
      install --disable-pip-version-check --quiet --require-hashes -r requirements/lambda.txt \
 && python trim.py /opt/venv

# Lambda mounts everything read-only but /tmp; its settings come from the function's environment.
FROM base AS lambda
ENV LIGHTMODEL__STORE__ROOT=/app LIGHTMODEL__STORE__WORK=/tmp/work LIGHTMODEL__LOG__SINK=none
COPY --from=lambda-libraries /opt/venv /opt/venv
COPY --from=code /app/config.toml ./
COPY --from=code /app/lightmodel lightmodel/
COPY --from=model /app/var/packed/ model/
ARG COMMIT="" VERSION="" MODEL="" SOURCE=""
LABEL light-model.service=lambda light-model.model=${MODEL} \
      org.opencontainers.image.source=${SOURCE} \
      org.opencontainers.image.revision=${COMMIT} \
      org.opencontainers.image.version=${VERSION}
USER 10001:0
ENTRYPOINT ["python", "-m", "awslambdaric"]
CMD ["lightmodel.lambda_function.handler"]

FROM base AS serve
ENV LIGHTMODEL__STORE__ROOT=/app LIGHTMODEL__STORE__WORK=/app/var/work \
    LIGHTMODEL__LOG__FOLDER=/app/var/log
COPY --from=serve-libraries /opt/venv /opt/venv
COPY --from=code /app/app.py /app/config.toml ./
COPY --from=code /app/deploy/gunicorn.conf.py deploy/
COPY --from=code /app/lightmodel lightmodel/
# For the prediction log; mount a volume here to keep it.
RUN install -d -m 2775 var var/log var/work
COPY --from=model /app/var/packed/ model/
ARG COMMIT="" VERSION="" MODEL="" SOURCE=""
LABEL light-model.service=serve light-model.model=${MODEL} \
      org.opencontainers.image.source=${SOURCE} \
      org.opencontainers.image.revision=${COMMIT} \
      org.opencontainers.image.version=${VERSION}
USER 10001:0
EXPOSE 5001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD healthy "${LIGHTMODEL__SERVE__PORT:-${PORT:-5001}}" /ready
CMD ["python", "app.py"]
