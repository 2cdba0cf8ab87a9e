"""/health: what Easel stands on, and whether it may be sent traffic."""

import asyncio
from collections.abc import Awaitable

import msgspec
import structlog
from litestar import Controller, Response, get
from redis.exceptions import RedisError

from app.compose import Services
from app.routes.access import OPEN, TheServices, TheStopping
from app.version import VERSION
from canvas.errors import Unavailable
from canvas.store.postgres import reaching_the_database
from jobs.errors import StorageFailed
from jobs.queue import workers_alive

log = structlog.get_logger(__name__)
CHECK_TIMEOUT_S = 2.0


class Health(msgspec.Struct, omit_defaults=True):
    status: str
    services: dict[str, str]
    version: str
    reasons: dict[str, str] = {}
    """Why, for each service that is not connected."""


# What an operator reads without a look at the log; an exception's own words stay there.
_REASONS = {
    "database": "PostgreSQL does not answer. Edits are refused until it does.",
    "redis": "Redis does not answer. Edits are kept; runs wait.",
    "storage": "The picture store does not answer. Pictures can neither be kept nor shown.",
    "worker": "No worker has looked at the queue lately. Start `easel worker`.",
}


class HealthController(Controller):
    path = "/health"
    tags = ("health",)
    opt = OPEN

    @get(operation_id="getHealth")
    async def health(self, services: TheServices) -> Response[Health]:
        """Every service Easel stands on: 200 when all of them answer, else 503 with which one does not."""
        found = await states_of(services)
        is_healthy = all(state == "connected" for state in found.values())
        reasons = {name: _REASONS[name] for name, state in found.items() if state != "connected"}
        health = Health("healthy" if is_healthy else "unhealthy", found, VERSION, reasons)
        return Response(health, status_code=200 if is_healthy else 503, headers={"Cache-Control": "no-store"})

    @get("/live", operation_id="getLiveness")
    async def live(self) -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @get("/ready", operation_id="getReadiness")
    async def ready(self, services: TheServices, stopping: TheStopping) -> Response[dict[str, str]]:
        """Whether this server may be sent traffic: its database answers and it is not going away."""
        state = "stopping" if stopping.is_leaving else await _state("database", _database(services))
        is_ready = state == "connected"
        return Response({"status": "ready" if is_ready else state}, status_code=200 if is_ready else 503)


async def states_of(services: Services) -> dict[str, str]:
    """`connected` or `disconnected`, of each service."""
    names = ("database", "redis", "storage", "worker")
    checks = (_database(services), _redis(services), services.objects.check(), _worker(services))
    return dict(zip(names, await asyncio.gather(*map(_state, names, checks)), strict=True))


async def _state(name: str, check: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check
    except (OSError, RedisError, StorageFailed, Unavailable, _NoWorkerError) as error:
        cause = error.__cause__ or error
        log.warning("health.failed", service=name, reason=str(cause) or type(cause).__name__)
        return "disconnected"
    return "connected"


class _NoWorkerError(Exception):
    pass


async def _database(services: Services) -> None:
    async with reaching_the_database():
        await services.database.fetchval("SELECT 1")


async def _redis(services: Services) -> None:
    await services.redis.ping()


async def _worker(services: Services) -> None:
    if not await workers_alive(services.redis):
        raise _NoWorkerError("No worker has looked at the queue lately.")
