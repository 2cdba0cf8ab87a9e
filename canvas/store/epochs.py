"""A log that was put back from a backup is another log: its workflows get a new epoch, and every client loads afresh.

What clients had been told was stored and the backup does not hold is gone; what they had not been answered yet they
push again. Without a new epoch they would go on from a seq that means something else now.
"""

from __future__ import annotations

import asyncpg
import structlog

from canvas.store.postgres import Connection, reaching_the_database

log = structlog.get_logger(__name__)


async def renew_epochs(connection: Connection) -> int:
    """Give every workflow a new epoch; answers how many there are. Servers notice within a second."""
    async with reaching_the_database():
        return int((await connection.execute(RENEW)).split()[-1])


async def renew_if_moved(connection: Connection) -> bool:
    """Whether this data came from another database, or from another line of this one's history: then it has new epochs.

    A dump that is put back, a copy that is promoted and a recovery to a point in time show by themselves. A folder that
    is copied back under the server does not: that takes `easel new-epoch`.
    """
    async with reaching_the_database(), connection.transaction():
        try:
            place: str = await connection.fetchval(_PLACE)
        except asyncpg.InsufficientPrivilegeError:
            log.warning("epochs.place_unknown", hint="after putting a backup back, run `easel new-epoch`")
            return False
        known = await connection.fetchval(_KNOWN)
        if known == place:
            return False
        await connection.execute(_SETTLE, place)
        if known is None:  # the first start
            return False
        count = await renew_epochs(connection)
    log.warning("epochs.renewed", reason="the database is a restored one", workflows=count)
    return True


RENEW = "UPDATE workflows SET epoch = replace(gen_random_uuid()::text, '-', '')"
_PLACE = """
    SELECT concat_ws('/', system_identifier, timeline_id, pg_database.oid)
    FROM pg_control_system(), pg_control_checkpoint(), pg_database WHERE datname = current_database()"""
_KNOWN = "SELECT place FROM installation FOR UPDATE"
_SETTLE = "INSERT INTO installation (place) VALUES ($1) ON CONFLICT (is_only) DO UPDATE SET place = excluded.place"
