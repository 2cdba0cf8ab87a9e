"""PostgreSQL: there, ours to use, roomy, careful with what it was given, on time, and with this version's tables."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime

import asyncpg

from app.backups.tables import own_names
from app.database import POOL_SIZE
from app.doctor.findings import PATIENCE_S, Ground, IllError, all_of
from app.embedded.postgres import PACKAGE
from app.revision import check_schema, newest_revision
from app.settings import masked
from canvas.store.postgres import Connection

FOR_COMMANDS = 5  # connections of `easel migrate`, `easel backup` and people's own
SKEW_S = 5.0  # leases, links and tokens are good for seconds to minutes, and some are looked at by the server's clock


async def connected(url: str) -> Connection | None:
    """None when nobody answers there: `answers` says so."""
    try:
        return await asyncpg.connect(url, timeout=PATIENCE_S)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None


async def answers(ground: Ground) -> str:
    url = ground.database_url
    if url is None:
        if importlib.util.find_spec(PACKAGE) is None:
            raise IllError("EASEL_DATABASE_URL is empty: set it, or install easel[embedded] to have one brought along.")
        return "embedded; `easel up` starts it."
    shown = masked("EASEL_DATABASE_URL", url)
    if ground.database is None:
        raise IllError(f"PostgreSQL cannot be reached at {shown}: {await _why(url)}.")
    encoding = await ground.database.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise IllError(f"The database's encoding is {encoding}: make one with `CREATE DATABASE … ENCODING 'UTF8'`.")
    return f"PostgreSQL {await ground.database.fetchval('SHOW server_version')} answers at {shown}."


async def _why(url: str) -> str:
    try:
        await (await asyncpg.connect(url, timeout=PATIENCE_S)).close()
    except asyncpg.InvalidAuthorizationSpecificationError:
        return "it does not know this user or password; correct them in EASEL_DATABASE_URL"
    except asyncpg.InvalidCatalogNameError:
        return "it has no database of this name; make it, or correct EASEL_DATABASE_URL"
    except asyncpg.TooManyConnectionsError:
        return "all its connections are taken; see `max_connections`"
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return "start it, or correct EASEL_DATABASE_URL"
    return "it did just now, and not a moment before; look at its load"


async def schema(ground: Ground) -> str:
    if ground.database_url is None:
        return f"{newest_revision()}; `easel up` brings the database to it."
    await check_schema(ground.reached_database())
    return f"{newest_revision()}, as the code needs it."


async def role(ground: Ground) -> str:
    """That it may read and write what is ours, and in production no more."""
    connection = ground.reached_database()
    name = await connection.fetchval("SELECT current_user")
    is_superuser = await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if is_superuser and ground.settings.is_production:
        raise IllError(
            f"Easel uses the database as {name}, who is a superuser: give it a role of its own that owns its "
            f"database (`CREATE ROLE easel LOGIN PASSWORD '…'; ALTER DATABASE … OWNER TO easel`)."
        )
    rows = await connection.fetch(_FORBIDDEN, list(own_names()[0]))
    if rows:
        named = ", ".join(row["relname"] for row in rows[:3]) + (" …" if len(rows) > 3 else "")
        raise IllError(
            f"The role {name} may not read and write all of Easel's tables ({named}): use the role that owns them, or "
            f"`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA … TO {name}`."
        )
    return f"{name} may do what it needs to."


async def room(ground: Ground) -> str:
    """That all servers and workers get the connections that they may want."""
    connection = ground.reached_database()
    let_in = await connection.fetchval(_LET_IN)
    processes = ground.settings.servers + ground.settings.workers
    needed = POOL_SIZE * processes + FOR_COMMANDS
    if let_in < needed:
        raise IllError(
            f"PostgreSQL lets {let_in} connections in, and {processes} processes with {POOL_SIZE} each and a few "
            f"commands want {needed}: raise `max_connections` (or the role's or database's CONNECTION LIMIT)."
        )
    return f"{let_in} connections for Easel's {needed} at most."


async def writes(ground: Ground) -> str:
    """That what it has acknowledged outlives a power cut, and that it takes writes at all."""
    connection = ground.reached_database()
    wrong = []
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        wrong.append("This is a copy that can only be read: let EASEL_DATABASE_URL lead to the primary.")
    elif await connection.fetchval("SHOW default_transaction_read_only") == "on":
        wrong.append(
            "Transactions can only read: set `default_transaction_read_only` to off for this role and database."
        )
    wrong += [
        f"`{setting}` is off, so a power cut loses edits that were acknowledged: set it to on."
        for setting in ("fsync", "synchronous_commit", "full_page_writes")
        if await connection.fetchval(f"SHOW {setting}") == "off"
    ]
    return all_of(wrong, "what is acknowledged is on disk.")


async def clock(ground: Ground) -> str:
    theirs: datetime = await ground.reached_database().fetchval("SELECT clock_timestamp()")
    skews = {"the database's": (theirs - ground.now()).total_seconds()}
    if ground.redis is not None:
        seconds, micros = await ground.redis.time()
        skews["Redis'"] = (datetime.fromtimestamp(seconds + micros / 1e6, UTC) - ground.now()).total_seconds()
    wrong = [
        f"This machine's clock and {whose} are {abs(skew):.0f} s apart: let NTP set both."
        for whose, skew in skews.items()
        if abs(skew) > SKEW_S
    ]
    return all_of(wrong, "the same here and there.")


_FORBIDDEN = """
    SELECT relname FROM pg_class
    WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid) AND relname = ANY($1) AND relname <> 'alembic_version'
      AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
        AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
    ORDER BY relname"""
_LET_IN = """
    SELECT least(
      current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
      (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
      (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()))"""
