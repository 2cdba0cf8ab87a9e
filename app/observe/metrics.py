"""What Prometheus scrapes (CONTRACT §9): what this process counted, and of a server what it and its services are now.

Under `easel up` server and worker count into one folder (prometheus_client's PROMETHEUS_MULTIPROC_DIR), so that one
scrape of the server tells of both. Elsewhere a worker answers on a port of its own (EASEL_METRICS_PORT).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Mapping

import asyncpg
import prometheus_client
import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app.compose import Services
from app.settings import COUNTS_FOLDER, Settings, SettingsError
from app.version import VERSION
from canvas.errors import Unavailable
from canvas.hub import Hub
from canvas.store.postgres import Pool, reaching_the_database

log = structlog.get_logger(__name__)

STORAGE_EVERY_S = 60.0  # how often all objects are added up
STORED_TIMEOUT_S = 2.0

REQUESTS = Counter("easel_http_requests", "HTTP requests that were answered.", ["method", "status"])
REQUEST_SECONDS = Histogram(
    "easel_http_request_seconds",
    "From a request until its answer began.",
    ["method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped


def count_request(method: str, status: int, seconds: float) -> None:
    known = method if method in _METHODS else "other"
    REQUESTS.labels(known, str(status)).inc()
    REQUEST_SECONDS.labels(known).observe(seconds)


class Scrapes:
    """Answers scrapes of a server. One who asks often costs PostgreSQL two small queries each time."""

    def __init__(self, services: Services, hub: Hub) -> None:
        self._services = services
        self._hub = hub
        self._storage_bytes = 0
        self._added_up_at: float | None = None

    async def answer(self, accept: str, states: Mapping[str, str]) -> tuple[bytes, str]:
        """The text and its content type. `states`: of each service, as /health tells it.

        What cannot be known while PostgreSQL is away is left out: a number that stood still would look well.
        """
        families = [_info(), *_service_families(states), *self._room_families()]
        try:
            families += await self._stored_families()
        except (Unavailable, TimeoutError) as error:
            log.warning("metrics.incomplete", reason=str(error) or type(error).__name__)
        encode, content_type = choose_encoder(accept)
        return encode(_together(families)), content_type

    def _room_families(self) -> list[Metric]:
        rooms, sessions = self._hub.count()
        return [
            GaugeMetricFamily("easel_rooms", "Rooms open in this server.", value=rooms),
            GaugeMetricFamily("easel_sessions", "Sockets in rooms of this server.", value=sessions),
        ]

    async def _stored_families(self) -> list[Metric]:
        """Of the whole installation: the same from every server."""
        async with asyncio.timeout(STORED_TIMEOUT_S):
            row = await _fetch(self._services.database, _NOW)
            if self._added_up_at is None or time.monotonic() - self._added_up_at > STORAGE_EVERY_S:
                self._storage_bytes = (await _fetch(self._services.database, _STORAGE))["bytes"]
                self._added_up_at = time.monotonic()
        live = GaugeMetricFamily("easel_live_runs", "Runs that wait or go on.", labels=["status"])
        for status in ("pending", "running"):
            live.add_metric([status], row[status])
        return [
            live,
            GaugeMetricFamily(
                "easel_oldest_due_seconds",
                "How long the run that is due longest has waited for a worker.",
                value=max(0.0, row["oldest_due_s"]),
            ),
            GaugeMetricFamily("easel_dead_runs", "Failed runs that may be replayed.", value=row["dead"]),
            GaugeMetricFamily("storage_size_bytes", "What all stored pictures take.", value=self._storage_bytes),
        ]


def answer_scrapes(settings: Settings) -> None:
    """A worker's own port, if it is to have one, answered by a thread. Raises SettingsError when it is taken."""
    if settings.metrics_port is None:
        return
    try:
        start_http_server(settings.metrics_port, settings.host, registry=_counted())
    except OSError as error:
        raise SettingsError(
            f"Metrics cannot be served on {settings.host}:{settings.metrics_port} ({error.strerror}). "
            "Set EASEL_METRICS_PORT to another port; each worker of a machine needs its own."
        ) from error
    log.info("metrics.ready", listening=f"{settings.host}:{settings.metrics_port}")


def _counted() -> CollectorRegistry:
    """What this process has counted, or all that share its folder."""
    if COUNTS_FOLDER not in os.environ:
        return prometheus_client.REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
    return registry


def _together(families: Iterable[Metric]) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found([*_counted().collect(), *families]))
    return registry


class _Found(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _info() -> Metric:
    info = GaugeMetricFamily("easel_info", "Which version this server is.", labels=["version"])
    info.add_metric([VERSION], 1)
    return info


def _service_families(states: Mapping[str, str]) -> list[Metric]:
    up = GaugeMetricFamily("easel_service_up", "Whether what Easel stands on answers, as /health.", labels=["service"])
    for service, state in states.items():
        up.add_metric([service], state == "connected")
    return [up]


async def _fetch(database: Pool, query: str) -> asyncpg.Record:
    async with reaching_the_database():
        row = await database.fetchrow(query)
    assert row is not None  # they are aggregates
    return row


_NOW = """
    SELECT count(*) FILTER (WHERE status = 'pending') AS pending,
      count(*) FILTER (WHERE status = 'running') AS running,
      coalesce(extract(epoch FROM now() - min(run_after) FILTER (WHERE status = 'pending')), 0)::float AS oldest_due_s,
      (SELECT count(*) FROM runs WHERE is_dead) AS dead
    FROM runs WHERE status IN ('pending', 'running')"""
_STORAGE = "SELECT coalesce(sum(size_bytes), 0)::bigint AS bytes FROM objects"
