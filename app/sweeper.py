"""Takes away what has expired: kept answers, sessions, login links, tickets."""

import asyncio

import structlog

from app.idempotency import KEPT_HOURS
from canvas.errors import Unavailable
from canvas.store.postgres import Pool, reaching_the_database

log = structlog.get_logger(__name__)

EVERY_S = 600


async def keep_sweeping(database: Pool) -> None:
    """Until it is cancelled. Every server does it: sweeping twice takes away nothing more."""
    while True:
        try:
            await sweep(database)
        except Unavailable:
            log.warning("sweep.failed")
        await asyncio.sleep(EVERY_S)


async def sweep(database: Pool) -> None:
    async with reaching_the_database():
        await database.execute(_ANSWERS, KEPT_HOURS)
        for query in _EXPIRED:
            await database.execute(query)


_ANSWERS = "DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1)"
_EXPIRED = tuple(f"DELETE FROM {table} WHERE expires_at < now()" for table in ("sessions", "login_links", "tickets"))
