"""`easel backup`: the database as it is at one moment, then the pictures that it names at that moment.

Keys name their content and bytes are never written over, so what is copied later is what was meant. Only a picture
that is deleted for good between the two can be missing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import asyncpg

from app.backups.contents import FORMAT, BackupError, Manifest, Named
from app.backups.places import Target, seal, target_at
from app.backups.tables import revision_of, schema_of
from app.backups.tools import Tools, dump, find_tools
from app.version import VERSION
from canvas.store.postgres import Connection
from jobs.objects.port import ObjectStore

AT_ONCE = 8  # objects on their way; what a store gives one after the other it gives slowly
T = TypeVar("T")


class Moment(NamedTuple):
    """The database, held still: what others write meanwhile is not seen through `connection`."""

    connection: Connection
    snapshot: str
    schema: str
    revision: str
    server: int
    """PostgreSQL's major version."""


class Copied(NamedTuple):
    """What became of an object. `size_bytes` is None when the store has not got it."""

    named: Named
    size_bytes: int | None
    is_damaged: bool = False
    is_fresh: bool = False


async def take_backup(
    url: str, objects: ObjectStore | None, path: Path, *, store: Path | None = None
) -> tuple[Manifest, int]:
    """Write one to `path`; answers its manifest, and how many objects were not there from an earlier one.

    `objects` None: the database alone. `store`: the folder in which they are, if it is one, which `path` has to be
    apart from. Raises BackupError, StorageFailed, and what asyncpg raises.
    """
    async with AsyncExitStack() as held:
        moment = await held.enter_async_context(_held_still(url))
        tools = find_tools(moment.server)
        with target_at(path, store) as target:
            made = target.desk / "database.new"
            await dump(tools, url, made, schema=moment.schema, snapshot=moment.snapshot)
            index = await _named(moment.connection)
            await held.aclose()  # pictures may take hours, in which tables may have to be changed and cleaned
            return await _complete(moment, index, tools, made, objects, target)


async def _complete(
    moment: Moment, index: list[Named], tools: Tools, made: Path, objects: ObjectStore | None, target: Target
) -> tuple[Manifest, int]:
    copied = [one async for one in _copies(index, objects, target)] if objects is not None else []
    taken_at = datetime.now(UTC)
    size_bytes, sha256 = await asyncio.to_thread(seal, made)
    manifest = Manifest(
        format=FORMAT,
        easel=VERSION,
        revision=moment.revision,
        postgres_schema=moment.schema,
        taken_at=taken_at,
        dump=f"database-{taken_at:%Y%m%dT%H%M%S.%fZ}.dump",
        dump_bytes=size_bytes,
        dump_sha256=sha256,
        dumped_by=tools.major,
        has_objects=objects is not None,
        objects=sum(one.size_bytes is not None for one in copied),
        object_bytes=sum(one.size_bytes or 0 for one in copied),
        missing=tuple(one.named.key for one in copied if one.size_bytes is None),
        damaged=tuple(one.named.key for one in copied if one.is_damaged),
    )
    target.finish(manifest, made, index)
    return manifest, sum(one.is_fresh for one in copied)


@asynccontextmanager
async def _held_still(url: str) -> AsyncIterator[Moment]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            revision, schema = await revision_of(connection), await schema_of(connection)
            if revision is None or schema is None:
                raise BackupError("There is nothing to back up: the database is empty.")
            snapshot: str = await connection.fetchval("SELECT pg_export_snapshot()")
            yield Moment(connection, snapshot, schema, revision, connection.get_server_version().major)
    finally:
        await connection.close()


async def _named(connection: Connection) -> list[Named]:
    """Objects with rows, then those that runs which have not ended have put away."""
    rows = await connection.fetch(_NAMED)
    return [Named(row["key"], row["content_type"], row["size_bytes"], row["sha256"]) for row in rows]


async def _copies(index: list[Named], objects: ObjectStore, target: Target) -> AsyncIterator[Copied]:
    for some in by(AT_ONCE, enumerate(index)):
        fetched = await asyncio.gather(*(_fetch(number, one, objects, target) for number, one in some))
        for copied, file in fetched:
            if file is not None:
                target.add_object(copied.named.key, file)
            yield copied


async def _fetch(number: int, named: Named, objects: ObjectStore, target: Target) -> tuple[Copied, Path | None]:
    if await asyncio.to_thread(target.has, named):
        return Copied(named, named.size_bytes), None
    chunks = await objects.open(named.key)
    if chunks is None:
        return Copied(named, None), None
    file, digest, size_bytes = target.desk / str(number), hashlib.sha256(), 0
    with file.open("xb") as copy:
        async for chunk in chunks:
            digest.update(chunk)
            size_bytes += copy.write(chunk)
    is_damaged = digest.hexdigest() != named.sha256
    return Copied(named, size_bytes, is_damaged, is_fresh=True), file


def by(number: int, every: Iterable[T]) -> Iterable[list[T]]:
    """So many at a time."""
    left = iter(every)
    while some := list(islice(left, number)):
        yield some


_NAMED = """
    SELECT key, content_type, size_bytes, encode(sha256, 'hex') AS sha256 FROM objects
    UNION ALL
    SELECT made ->> 'key', made ->> 'content_type', (made ->> 'size_bytes')::bigint, made ->> 'sha256'
    FROM runs JOIN provider_calls ON provider_calls.run_id = runs.id,
      json_array_elements(provider_calls.answer -> 'kept') AS made
    WHERE runs.finished_at IS NULL AND NOT EXISTS (SELECT FROM objects WHERE key = made ->> 'key')"""
