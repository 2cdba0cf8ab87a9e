"""Housekeeping: takes away what has expired, keeps versions of what has changed."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from app.auth.proofs import Proofs
from canvas.errors import Unavailable
from canvas.relay.port import AccessHint, Relay
from canvas.store.postgres import Pool, reaching_the_database
from canvas.store.retention import retire
from canvas.store.shares import Shares
from canvas.store.versions import Versions, keep_versions
from jobs.artworks import Artworks
from jobs.errors import StorageFailed
from jobs.objects.port import ObjectStore
from jobs.store.events import retire_events
from jobs.store.imports import retire_imports
from jobs.store.renders import retire_renders
from jobs.sweep import Sweep

log = structlog.get_logger(__name__)

ANSWERS_KEPT_H = 24  # to requests with an Idempotency-Key
SWEEP_EVERY_S = 600
OBJECTS_EVERY_S = 6 * 3600  # each look lists the whole store
VERSIONS_EVERY_S = 60
PROOFS_EVERY_S = 0.5  # sockets of a token that was revoked are closed within a second
SHARES_EVERY_S = 1.0  # what a link gave is over within a second


async def keep_sweeping(database: Pool) -> None:
    """Until it is cancelled. Every server does it: sweeping twice takes away nothing more."""
    await _every(SWEEP_EVERY_S, lambda: sweep(database))


async def keep_looking_at(proofs: Proofs) -> None:
    """Until it is cancelled. Every server does it for its own sockets and streams."""
    await _every(PROOFS_EVERY_S, proofs.look)


async def keep_ending_shares(shares: Shares, relay: Relay) -> None:
    """Until it is cancelled. Every server does it."""

    async def end() -> None:
        for workflow_id in await shares.end_expired():
            relay.publish(workflow_id, AccessHint())

    await _every(SHARES_EVERY_S, end)


async def keep_versioning(versions: Versions, keep_days: int) -> None:
    """Until it is cancelled. Every worker does it: what one has kept is not due for another."""
    await _every(VERSIONS_EVERY_S, lambda: keep_versions(versions, keep_days=keep_days))


async def keep_retiring(database: Pool, keep_days: int) -> None:
    """Until it is cancelled."""
    await _every(SWEEP_EVERY_S, lambda: retire(database, keep_days))


async def keep_retiring_renders(database: Pool, objects: ObjectStore, keep_days: int) -> None:
    """Until it is cancelled."""
    await _every(SWEEP_EVERY_S, lambda: retire_renders(database, objects, keep_days))


async def keep_retiring_imports(database: Pool, keep_days: int) -> None:
    """Until it is cancelled."""
    await _every(SWEEP_EVERY_S, lambda: retire_imports(database, keep_days))


async def keep_retiring_events(database: Pool, keep_days: int) -> None:
    """Until it is cancelled."""
    await _every(SWEEP_EVERY_S, lambda: retire_events(database, keep_days))


async def keep_clearing(artworks: Artworks, keep_days: int) -> None:
    """Until it is cancelled. Every worker does it: uploads that became nothing, artworks in the trash."""

    async def clear() -> None:
        await artworks.expire()
        await artworks.retire(keep_days)

    await _every(SWEEP_EVERY_S, clear)


async def keep_sweeping_objects(sweep: Sweep) -> None:
    """Until it is cancelled (OB4). Every worker does it: what one has deleted is gone for another."""

    async def look() -> None:
        stock = await sweep.look()
        if stock.is_of_another_store:
            log.error("objects.are_elsewhere", rows=stock.rows, missing=len(stock.missing) + len(stock.unused))
            return
        if stock.missing:
            log.error("objects.missing", count=len(stock.missing), first=stock.missing[0])
        if deleted := await sweep.delete(stock.unnamed):
            log.info("objects.swept", count=deleted)

    await _every(OBJECTS_EVERY_S, look)


async def _every(interval_s: float, act: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await act()
        except (Unavailable, StorageFailed) as error:
            log.warning("housekeeping.waits", reason=error.detail)
        await asyncio.sleep(interval_s)


async def sweep(database: Pool) -> None:
    async with reaching_the_database():
        await database.execute(_ANSWERS, ANSWERS_KEPT_H)
        for query in _EXPIRED:
            await database.execute(query)


_ANSWERS = "DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1)"
_EXPIRED = (
    "DELETE FROM sessions WHERE expires_at < now()",
    "DELETE FROM login_links WHERE expires_at < now()",
    "DELETE FROM tickets WHERE expires_at < now()",
    "DELETE FROM api_tokens WHERE workflow_id IS NOT NULL AND expires_at < now()",
)
