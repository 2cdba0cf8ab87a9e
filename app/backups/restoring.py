"""`easel restore`: the pictures first, then the database in one transaction with new epochs, then the hints go.

In this order a crash leaves objects that no row names, which the sweep finds, and never a row without its picture.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from pathlib import Path
from typing import NamedTuple

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.backups.contents import BackupError, Manifest, Named
from app.backups.places import Source, seal, source_at
from app.backups.tables import at_work, is_known, is_unused, removal, revision_of, schema_of
from app.backups.taking import AT_ONCE, by
from app.backups.tools import find_tools, restore
from app.migrate import migrate
from canvas.store.epochs import RENEW
from jobs.objects.port import ObjectStore

_HINTS = ("easel:*", *(f"arq:{kind}:run_*" for kind in ("job", "in-progress", "retry", "result")))
"""All that Redis holds for us. It is no truth: what hangs there of the past would only mislead."""


class Restored(NamedTuple):
    manifest: Manifest
    applied: list[str]
    """Revisions that the backup was brought forward by."""
    objects: int
    """How many were put; the others were there."""
    missing: list[str]
    """Keys that the database names, and neither the backup nor the store has."""
    workflows: int
    runs: int
    pictures: int


class Place(NamedTuple):
    """Where a backup is put back."""

    url: str
    objects: ObjectStore
    redis: Redis


async def put_back(path: Path, place: Place, *, replace: bool) -> Restored:
    """Raises BackupError, having changed nothing, for what is no whole backup, a database that is in use or holds
    something (unless `replace`), and one that this version cannot put back; StorageFailed; what asyncpg raises.
    """
    with source_at(path) as source, tempfile.TemporaryDirectory(prefix="easel-restore-") as desk:
        manifest = source.manifest
        if not is_known(manifest.revision):
            raise BackupError(f"The backup's schema ({manifest.revision}) is newer than this Easel: restore with that.")
        dump = source.dump(Path(desk))
        if seal(dump) != (manifest.dump_bytes, manifest.dump_sha256):
            raise BackupError(f"{path} is damaged: its database is not the one that was backed up.")
        for _ in source.index():
            pass  # a key that leads elsewhere is refused before anything is changed
        await _reach(place.redis)
        before, server = await _prepare(place.url, manifest, replace=replace)
        tools = find_tools(max(server, manifest.dumped_by))
        put, missing = await _put_objects(source, place.objects)
        schema = manifest.postgres_schema
        after = f'SET LOCAL search_path TO "{schema}";\n{RENEW};'
        await restore(tools, place.url, dump, schema=schema, before=before, after=after, server=server)
    applied = await migrate(place.url)
    await _forget_hints(place.redis)
    return await _counted(place.url, Restored(manifest, applied, put, missing, 0, 0, 0))


async def _prepare(url: str, manifest: Manifest, *, replace: bool) -> tuple[str, int]:
    """Statements that make room, and the server's major version."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        others = await at_work(connection)
        if others:
            raise BackupError(
                f"Servers or workers are connected to this database ({others}): stop them first, and start them after."
            )
        schema = await schema_of(connection)
        if schema != manifest.postgres_schema:
            raise BackupError(
                f"The backup's tables are in the schema {manifest.postgres_schema}, and this database has {schema}: "
                f"give its role a search_path that begins with {manifest.postgres_schema}."
            )
        if not replace and not await is_unused(connection):
            raise BackupError(
                "This database holds an Easel already: restore into an empty one, or lose what is in it by --replace."
            )
        found = await revision_of(connection)
        if found is not None and not is_known(found):
            raise BackupError(f"The database's schema ({found}) is newer than this Easel: restore with that version.")
        return await removal(connection, schema), connection.get_server_version().major
    finally:
        await connection.close()


async def _put_objects(source: Source, objects: ObjectStore) -> tuple[int, list[str]]:
    put, missing = 0, list[str]()
    for some in by(AT_ONCE, source.index()):
        done = await asyncio.gather(*(_put(one, source, objects) for one in some))
        put += sum(is_put is True for is_put in done)
        missing += [one.key for one, is_put in zip(some, done, strict=True) if is_put is None]
    return put, missing


async def _put(named: Named, source: Source, objects: ObjectStore) -> bool | None:
    """False: the store has it already. None: nobody has it, or only bytes that are not its own."""
    if await objects.size(named.key) == named.size_bytes:
        return False
    file = source.open_object(named.key)
    if file is None:
        return None
    with file:
        content = file.read()
    is_whole = named.sha256 == hashlib.sha256(content).hexdigest()
    if not is_whole and named.key not in source.manifest.damaged:
        return None
    await objects.put(named.key, content, named.content_type)
    return True


async def _reach(redis: Redis) -> None:
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        raise BackupError("Redis cannot be reached: start it, or correct EASEL_REDIS_URL.") from error


async def _forget_hints(redis: Redis) -> None:
    """Queue, gates, rates and previews: the reconciler rings again for every run that waits."""
    for pattern in _HINTS:
        async for key in redis.scan_iter(match=pattern, count=1000):
            await redis.delete(key)


async def _counted(url: str, restored: Restored) -> Restored:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        row = await connection.fetchrow(
            """
            SELECT (SELECT count(*) FROM workflows WHERE deleted_at IS NULL) AS workflows,
              (SELECT count(*) FROM runs) AS runs, (SELECT count(*) FROM renders) AS pictures"""
        )
    finally:
        await connection.close()
    assert row is not None
    return restored._replace(**dict(row))
