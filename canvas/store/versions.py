"""Versions in PostgreSQL: numbers without gaps, documents compressed, old automatic ones thinned out."""

from __future__ import annotations

import asyncio
import zlib
from datetime import datetime
from typing import Literal, NamedTuple

import asyncpg
import msgspec

from canvas.errors import Conflict, LimitReached, NotFound
from canvas.store.port import Document
from canvas.store.postgres import Connection, Pool, PostgresStore, lock_workflow, reaching_the_database
from canvas.versions import Contents, Unkept, contents_of, is_due

MAX_NAMED = 1_000  # of a workflow: each is a whole document that nothing takes away by itself
MAX_VERSION = 2**31 - 1
KEEP_ALL_HOURS = 24
_SWEEP = 200  # workflows looked at in one statement

VersionKind = Literal["auto", "named", "restore"]
"""`auto`: by policy. `named`: somebody asked for it; kept for ever. `restore`: what a restore replaced."""

_contents = msgspec.json.Decoder(Contents)


class VersionAuthor(msgspec.Struct, frozen=True):
    id: str
    name: str
    color: str


class Version(msgspec.Struct, frozen=True, rename="camel"):
    version: int
    name: str | None
    kind: VersionKind
    seq: int
    author: VersionAuthor | None
    """None: made by policy, or by an account that is gone."""
    created_at: datetime
    node_count: int
    edge_count: int


class Changing(NamedTuple):
    """A workflow that has changed since its newest version."""

    workflow_id: str
    versioned_seq: int
    unkept: Unkept
    now: datetime


class Versions:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._documents = PostgresStore(pool)

    # Making them

    async def make(self, workflow_id: str, author_id: str, name: str | None) -> Version:
        """A version that somebody asked for, of the document as it is now. Raises NotFound, LimitReached."""
        document = await self._load(workflow_id)
        number = await self._insert(workflow_id, document, "named", name, author_id)
        if number is None:
            raise NotFound("There is no such workflow.")
        return await self.summary(workflow_id, number)

    async def make_before_restore(self, workflow_id: str, author_id: str) -> Version:
        """A version of the document as it is now, or the one that exists of it already. Raises NotFound."""
        document = await self._load(workflow_id)
        async with reaching_the_database():
            number = await self._pool.fetchval(_AT_SEQ, workflow_id, document.head.epoch, document.head.seq)
        if number is None:
            number = await self._insert(workflow_id, document, "restore", None, author_id)
        if number is None:
            raise NotFound("There is no such workflow.")
        return await self.summary(workflow_id, number)

    async def make_automatic(self, workflow_id: str, versioned_seq: int) -> bool:
        """Whether it was made: not if another process made one after `versioned_seq` meanwhile, nor in the trash."""
        document = await self._documents.load(workflow_id)
        if document is None:
            return False
        return await self._insert(workflow_id, document, "auto", None, None, after=versioned_seq) is not None

    async def _load(self, workflow_id: str) -> Document:
        document = await self._documents.load(workflow_id)
        if document is None:
            raise NotFound("There is no such workflow.")
        return document

    async def _insert(
        self,
        workflow_id: str,
        document: Document,
        kind: VersionKind,
        name: str | None,
        author_id: str | None,
        *,
        after: int | None = None,
    ) -> int | None:
        """Its number; None when the workflow is gone, or its newest version is not of `after` any more.

        The document was read and is packed before the workflow's lock is taken: commits wait for one row only.
        """
        contents, head = contents_of(document.graph), document.head
        packed = await asyncio.to_thread(_pack, contents)
        async with reaching_the_database(), self._pool.acquire() as connection, connection.transaction():
            number: int | None = await connection.fetchval(_NUMBER, workflow_id, head.epoch, head.seq, after)
            if number is None:
                return None
            if kind == "named":
                await _check_room(connection, workflow_id)
            counts = len(contents.nodes), len(contents.edges)
            await connection.execute(
                _INSERT, workflow_id, number, head.epoch, head.seq, name, kind, author_id, *counts, packed
            )
            return number

    # Reading them

    async def page(self, workflow_id: str, *, limit: int, before: int | None) -> list[Version]:
        """Newest first, those below the number `before`."""
        async with reaching_the_database():
            rows = await self._pool.fetch(_PAGE, workflow_id, before, limit)
        return [_version_of(row) for row in rows]

    async def summary(self, workflow_id: str, number: int) -> Version:
        """Raises NotFound."""
        return _version_of(await self._found(_SUMMARY, workflow_id, number))

    async def read(self, workflow_id: str, number: int) -> tuple[Version, Contents]:
        """Raises NotFound."""
        row = await self._found(_WHOLE, workflow_id, number)
        return _version_of(row), await asyncio.to_thread(_unpack, row["document"])

    async def _found(self, query: str, workflow_id: str, number: int) -> asyncpg.Record:
        row = None
        if 1 <= number <= MAX_VERSION:
            async with reaching_the_database():
                row = await self._pool.fetchrow(query, workflow_id, number)
        if row is None:
            raise NotFound(f"This workflow has no version {number}.")
        return row

    # Changing them

    async def rename(self, workflow_id: str, number: int, name: str) -> Version:
        """A version with a name is kept for ever. Raises NotFound, LimitReached."""
        version = await self.summary(workflow_id, number)
        async with reaching_the_database(), self._pool.acquire() as connection, connection.transaction():
            await lock_workflow(connection, workflow_id)
            if version.kind != "named":
                await _check_room(connection, workflow_id)
            await connection.execute(_RENAME, workflow_id, number, name)
        return await self.summary(workflow_id, number)

    async def remove(self, workflow_id: str, number: int) -> None:
        """Raises NotFound, and Conflict for one that nobody asked for."""
        version = await self.summary(workflow_id, number)
        if version.kind != "named":
            detail = "Only a version that somebody made or named can be deleted; the others go by themselves."
            raise Conflict(detail, code="INVALID_STATE")
        async with reaching_the_database(), self._pool.acquire() as connection, connection.transaction():
            await lock_workflow(connection, workflow_id)
            await connection.execute(_DELETE, workflow_id, number)
            await connection.execute(_SET_VERSIONED, workflow_id)

    # Keeping house

    async def changing(self, after: str) -> list[Changing]:
        """Up to `_SWEEP` workflows that have changed since their newest version, by id, those above `after`."""
        async with reaching_the_database():
            rows = await self._pool.fetch(_CHANGING, after, _SWEEP)
        return [
            Changing(
                row["id"],
                row["versioned_seq"],
                Unkept(row["seq"] - row["versioned_seq"], row["size_bytes"], row["since"]),
                row["now"],
            )
            for row in rows
        ]

    async def thin_out(self, keep_days: int) -> int:
        """How many went: of what nobody asked for, all of a day stay, then one a day, then none."""
        async with reaching_the_database():
            gone: int = await self._pool.fetchval(_THIN_OUT, KEEP_ALL_HOURS, keep_days)
        return gone


async def keep_versions(versions: Versions, *, keep_days: int = 30) -> int:
    """One round: an automatic version of each workflow that is due, old ones thinned out; answers how many it made.

    Any process may call it, several at once too: what one has made is not due for another.
    """
    made, after = 0, ""
    while True:
        found = await versions.changing(after)
        for workflow in found:
            if is_due(workflow.unkept, workflow.now):
                made += await versions.make_automatic(workflow.workflow_id, workflow.versioned_seq)
        if len(found) < _SWEEP:
            break
        after = found[-1].workflow_id
    await versions.thin_out(keep_days)
    return made


async def _check_room(connection: Connection, workflow_id: str) -> None:
    if await connection.fetchval(_COUNT_NAMED, workflow_id) >= MAX_NAMED:
        raise LimitReached(f"A workflow keeps at most {MAX_NAMED} named versions. Delete some you no longer need.")


def _pack(contents: Contents) -> bytes:
    return zlib.compress(msgspec.json.encode(contents))


def _unpack(packed: bytes) -> Contents:
    return _contents.decode(zlib.decompress(packed))


def _version_of(row: asyncpg.Record) -> Version:
    is_known = row["author_name"] is not None
    author = VersionAuthor(row["author_id"], row["author_name"], row["author_color"]) if is_known else None
    return Version(
        version=row["version"],
        name=row["name"],
        kind=row["kind"],
        seq=row["seq"],
        author=author,
        created_at=row["created_at"],
        node_count=row["node_count"],
        edge_count=row["edge_count"],
    )


_COLUMNS = """
    version, workflow_versions.name, kind, seq, author_id, accounts.name AS author_name, color AS author_color,
    workflow_versions.created_at, node_count, edge_count"""
_FROM = "FROM workflow_versions LEFT JOIN accounts ON accounts.id = author_id"
_PAGE = f"""
    SELECT {_COLUMNS} {_FROM} WHERE workflow_id = $1 AND ($2::integer IS NULL OR version < $2)
    ORDER BY version DESC LIMIT $3"""
_SUMMARY = f"SELECT {_COLUMNS} {_FROM} WHERE workflow_id = $1 AND version = $2"
_WHOLE = f"SELECT {_COLUMNS}, document {_FROM} WHERE workflow_id = $1 AND version = $2"
_AT_SEQ = """
    SELECT version FROM workflow_versions WHERE workflow_id = $1 AND epoch = $2 AND seq = $3
    ORDER BY version DESC LIMIT 1"""
# The counter is under the workflow's row lock until the version is stored: no number is lost, none given twice.
_NUMBER = """
    UPDATE workflows SET last_version = last_version + 1, versioned_seq = greatest(versioned_seq, $3)
    WHERE id = $1 AND epoch = $2 AND deleted_at IS NULL AND ($4::bigint IS NULL OR versioned_seq = $4)
    RETURNING last_version"""
_INSERT = """
    INSERT INTO workflow_versions
      (workflow_id, version, epoch, seq, name, kind, author_id, node_count, edge_count, document)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
_COUNT_NAMED = "SELECT count(*) FROM workflow_versions WHERE workflow_id = $1 AND kind = 'named'"
_RENAME = "UPDATE workflow_versions SET name = $3, kind = 'named' WHERE workflow_id = $1 AND version = $2"
_DELETE = "DELETE FROM workflow_versions WHERE workflow_id = $1 AND version = $2 AND kind = 'named'"
_SET_VERSIONED = """
    UPDATE workflows SET versioned_seq = coalesce(
      (SELECT max(version.seq) FROM workflow_versions AS version WHERE workflow_id = workflows.id), 0)
    WHERE id = $1"""
# Without an index on purpose: `seq` changes with every commit, and an index on it would make every commit dearer.
# A log that was trimmed has no first transaction to tell the time of; then the last one's will do.
_CHANGING = """
    SELECT id, seq, versioned_seq, coalesce(log.since, updated_at) AS since, log.size_bytes, now() AS now
    FROM workflows CROSS JOIN LATERAL (
      SELECT min(at) AS since, coalesce(sum(pg_column_size(ops)), 0)::bigint AS size_bytes
      FROM workflow_ops WHERE workflow_id = workflows.id AND workflow_ops.seq > versioned_seq) AS log
    WHERE workflows.seq > versioned_seq AND deleted_at IS NULL AND id > $1 ORDER BY id LIMIT $2"""
_DAY = "(%s.created_at AT TIME ZONE 'UTC')::date"
_THIN_OUT = f"""
    WITH gone AS (
      DELETE FROM workflow_versions AS old
      WHERE kind <> 'named' AND created_at < now() - make_interval(hours => $1) AND (
        created_at < now() - make_interval(days => $2) OR EXISTS (
          SELECT FROM workflow_versions AS later
          WHERE later.workflow_id = old.workflow_id AND later.version > old.version AND later.kind <> 'named'
            AND {_DAY % "later"} = {_DAY % "old"}))
      RETURNING 1
    )
    SELECT count(*) FROM gone"""
