# syntax=docker/dockerfile:1
# Easel in an image: `easel serve` by default, `easel worker`, `easel migrate` and the rest by name.
# The stage `tools` adds PostgreSQL's programs, for `easel backup` and `easel restore`.

FROM node:22-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

FROM python:3.12-slim-trixie AS build
WORKDIR /src
RUN pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml README.md requirements.lock ./
COPY .ci/wheel_page.py .ci/
COPY app app
COPY canvas canvas
COPY jobs jobs
COPY migrations migrations
COPY --from=page /src/web/dist web/dist
RUN uv build --quiet --wheel --out-dir /dist \
 && uv venv --quiet /opt/easel \
 && VIRTUAL_ENV=/opt/easel uv pip install --quiet --no-cache --compile-bytecode --constraint requirements.lock \
      "easel[otel] @ file://$(ls /dist/*.whl)"

FROM python:3.12-slim-trixie AS run
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin easel \
 && install --directory --owner=easel --group=easel /data
COPY --from=build /opt/easel /opt/easel
ENV PATH=/opt/easel/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    EASEL_ENV=production \
    EASEL_HOST=0.0.0.0 \
    EASEL_PORT=8000 \
    EASEL_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# Of a server. A worker's is its own: compose.yaml asks the port that EASEL_METRICS_PORT opens.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["easel"]
CMD ["serve"]

FROM run AS tools
USER 0
# The distribution's, of the major version that compose.yaml runs; which patch is the distribution's business.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends postgresql-client-17 \
 && rm -rf /var/lib/apt/lists/*
USER 10001:10001

# Last, so that `docker build .` makes it.
FROM run
