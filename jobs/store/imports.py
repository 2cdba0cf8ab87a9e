"""Imports in PostgreSQL: items of a batch, each carried under a lease and a fence, each stored once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Self

import asyncpg
import msgspec

from canvas.errors import LimitReached
from canvas.ids import new_id
from canvas.relay.port import Relay
from canvas.store.postgres import Connection, Pool, reaching_the_database
from jobs.batch import BatchItem, ItemStatus
from jobs.errors import LeaseLost
from jobs.renders import KeptPicture
from jobs.run import Failure, NodeChange, PictureUrl
from jobs.store.renders import insert_objects, insert_variants
from jobs.store.rows import failure_of, json_of
from jobs.store.turn import Turn, turn

MAX_LIVE = 2_000  # of one account, over all its batches
PROVIDER = "import"
"""What a render says that came from elsewhere."""


class Item(msgspec.Struct, frozen=True):
    """A row of `import_items`."""

    id: str
    batch_id: str
    number: int
    account_id: str
    url: str = ""
    source_hash: bytes = b""
    design_id: str | None = None
    workflow_id: str | None = None
    node_id: str | None = None
    salt: str = ""
    fence: int = 0
    takeovers: int = 0
    account_name: str = ""

    @classmethod
    def numbered(cls, batch_id: str, number: int, account_id: str) -> Self:
        return cls(new_id("import"), batch_id, number, account_id)


class ImportStore:
    def __init__(self, database: Pool, relay: Relay, picture_url: PictureUrl) -> None:
        self._database = database
        self._relay = relay
        self._picture_url = picture_url

    # What people do

    async def missing_nodes(self, items: list[Item]) -> list[Item]:
        """Those whose node is not there."""
        placed = [item for item in items if item.workflow_id is not None and item.node_id is not None]
        async with reaching_the_database():
            rows = await self._database.fetch(
                _NODES, [item.workflow_id for item in placed], [item.node_id for item in placed]
            )
        there = {(row["workflow_id"], row["id"]) for row in rows}
        return [item for item in placed if (item.workflow_id, item.node_id) not in there]

    async def start(self, batch_id: str, account_id: str, concurrency: int, items: list[Item]) -> None:
        """Raises LimitReached."""
        async with self._transaction() as connection:
            await connection.execute("SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE", account_id)
            if await connection.fetchval(_LIVE, account_id) + len(items) > MAX_LIVE:
                raise LimitReached(f"At most {MAX_LIVE:,} imports wait at a time. Wait for those under way.")
            await connection.execute(_INSERT_BATCH, batch_id, account_id, concurrency, len(items))
            rows = [(*(getattr(item, name) for name in _COLUMNS),) for item in items]
            await connection.executemany(_INSERT, rows)

    async def cancel(self, batch_id: str) -> bool:
        """At once: the fences move on, so whatever is still written is refused. Whether there was anything."""
        async with self._transaction() as connection:  # items before batch, as everywhere
            ended = await connection.fetch(_CANCEL, batch_id)
            await connection.execute(_CANCEL_BATCH, batch_id)
            await connection.execute(_FINISH, batch_id)
        return bool(ended)

    async def items_of(self, batch_id: str) -> list[BatchItem]:
        async with reaching_the_database():
            return [self._shown(row) for row in await self._database.fetch(_ITEMS, batch_id)]

    def _shown(self, row: asyncpg.Record) -> BatchItem:
        failure = failure_of(row["error"])
        cancelled = ("CANCELLED", "This import was cancelled.") if row["status"] == "cancelled" else (None, None)
        return BatchItem(
            index=row["number"],
            status=row["status"],
            render_id=row["render_id"],
            workflow_id=row["workflow_id"],
            node_id=row["node_id"],
            url=row["url"],
            design_id=row["design_id"],
            image_url=self._picture_url(row["object_key"]) if row["object_key"] else None,
            code=failure.code if failure else cancelled[0],
            detail=failure.detail if failure else cancelled[1],
        )

    # What a worker does. Each write names its fence and raises LeaseLost when somebody else has the item.

    async def claim(self, lease_s: float) -> Item | None:
        """BA7. Of the batch that was served longest ago: one that has lost its worker, or the next one."""
        async with self._transaction() as connection:
            batch = await connection.fetchrow(_BATCH)
            if batch is None:
                return None
            row = await connection.fetchrow(_CLAIM, batch["id"], batch["concurrency"], timedelta(seconds=lease_s))
        if row is None:
            return None
        return Item(**{name: row[name] for name in (*_COLUMNS, "fence", "takeovers", "account_name")})

    async def heartbeat(self, item: Item, lease_s: float) -> None:
        async with reaching_the_database():
            held = await self._database.fetchval(_HEARTBEAT, item.id, item.fence, timedelta(seconds=lease_s))
        if held is None:
            raise LeaseLost

    async def release(self, item: Item) -> None:
        """Unfinished, so that another worker goes on at once."""
        async with reaching_the_database():
            await self._database.execute(_RELEASE, item.id, item.fence)

    async def skip(self, item: Item) -> bool:
        """BA8. Whether the account has the picture already; then its node gets that one, and the item has ended."""
        async with reaching_the_database():
            if await self._database.fetchrow(_STORED, item.account_id, item.source_hash, item.design_id) is None:
                return False
        async with self._turn(item) as (connection, this):
            await _hold(connection, item)
            return await self._skip(connection, this, item)

    async def complete(self, item: Item, picture: KeptPicture, note: Failure | None) -> list[str]:
        """BA8. Objects, render, node and the item's end in one transaction.

        Answers the keys that nothing names because another import of the same picture was first.
        """
        async with self._turn(item) as (connection, this):
            await _hold(connection, item)
            original = picture.original
            await insert_objects(connection, item.account_id, [original])
            render_id = await connection.fetchval(
                _INSERT_RENDER,
                new_id("ren"),
                item.account_id,
                item.id,
                item.workflow_id,
                item.node_id,
                original.key,
                original.width_px,
                original.height_px,
                original.content_type,
                PROVIDER,
                item.source_hash,
                item.design_id,
            )
            if render_id is None:
                await connection.execute("DELETE FROM objects WHERE key = $1", original.key)
                assert await self._skip(connection, this, item)  # we have waited for the other's commit
                return [original.key, *(kept.key for kept in picture.variants.values())]
            await insert_variants(connection, item.account_id, render_id, picture.variants)
            thumbnail = picture.variants.get("thumbnail", original)
            await self._show(connection, this, item, original.key, thumbnail.key)
            await self._end(connection, item, "completed", render_id, note)
            return []

    async def fail(self, item: Item, failure: Failure) -> None:
        async with self._transaction() as connection:
            await _hold(connection, item)
            await self._end(connection, item, "failed", None, failure)

    async def _skip(self, connection: Connection, this: Turn | None, item: Item) -> bool:
        stored = await connection.fetchrow(_STORED, item.account_id, item.source_hash, item.design_id)
        if stored is None:  # it was deleted for good just now
            return False
        await connection.execute("UPDATE renders SET deleted_at = NULL WHERE id = $1", stored["id"])
        await self._show(connection, this, item, stored["object_key"], stored["thumbnail_key"])
        await self._end(connection, item, "skipped", stored["id"], None)
        return True

    async def _show(self, connection: Connection, this: Turn | None, item: Item, key: str, thumbnail_key: str) -> None:
        """BA9. An op like others; who may not edit any more has the picture all the same."""
        if this is None or item.node_id is None:
            return
        if not await connection.fetchval(_MAY_WRITE, item.workflow_id, item.account_id):
            return
        values = {
            "/data/imageUrl": self._picture_url(key),
            "/data/thumbnailUrl": self._picture_url(thumbnail_key),
            "/data/updatedAt": msgspec.to_builtins(datetime.now(UTC)),
        }
        unset: tuple[str, ...] = ()
        if not await connection.fetchval(_HAS_RUN, item.workflow_id, item.node_id):  # else its status is the run's
            values["/data/status"] = "completed"
            unset = ("/data/error",)
        await this.write_node(item.node_id, item.account_id, NodeChange(values, unset))

    async def _end(
        self, connection: Connection, item: Item, status: ItemStatus, render_id: str | None, error: Failure | None
    ) -> None:
        await connection.execute(_END, item.id, status, render_id, json_of(error) if error else None)
        await connection.fetchval("SELECT true FROM batches WHERE id = $1 FOR UPDATE", item.batch_id)
        await connection.execute(_FINISH, item.batch_id)

    @asynccontextmanager
    async def _turn(self, item: Item) -> AsyncIterator[tuple[Connection, Turn | None]]:
        """Under the lock of the item's workflow, if it is for one."""
        if item.workflow_id is None:
            async with self._transaction() as connection:
                yield connection, None
        else:
            async with turn(self._database, self._relay, item.workflow_id) as this:
                yield this.connection, this

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
            yield connection


async def retire_imports(database: Pool, keep_days: int) -> None:
    """Batches that ended so long ago, with the addresses in them. Their pictures stay. Raises Unavailable."""
    async with reaching_the_database():
        await database.execute(_RETIRE, keep_days)


async def _hold(connection: Connection, item: Item) -> None:
    if await connection.fetchval(_HELD, item.id, item.fence) is None:
        raise LeaseLost


# Queries

_COLUMNS = (
    "id",
    "batch_id",
    "number",
    "account_id",
    "url",
    "source_hash",
    "design_id",
    "workflow_id",
    "node_id",
    "salt",
)
_NODES = """
    SELECT workflow_id, id FROM workflow_nodes
    WHERE (workflow_id, id) IN (SELECT * FROM unnest($1::text[], $2::text[]))"""
_LIVE = "SELECT count(*) FROM import_items WHERE account_id = $1 AND status IN ('pending', 'running')"
_INSERT_BATCH = "INSERT INTO batches (id, kind, account_id, concurrency, size) VALUES ($1, 'import', $2, $3, $4)"
_INSERT = f"""
    INSERT INTO import_items ({", ".join(_COLUMNS)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
_CANCEL = """
    UPDATE import_items SET status = 'cancelled', fence = fence + 1, finished_at = clock_timestamp()
    WHERE batch_id = $1 AND status IN ('pending', 'running') RETURNING true"""
_CANCEL_BATCH = "UPDATE batches SET cancelled_at = coalesce(cancelled_at, clock_timestamp()) WHERE id = $1"
_FINISH = """
    UPDATE batches SET finished_at = clock_timestamp() WHERE id = $1 AND finished_at IS NULL
    AND NOT EXISTS (SELECT FROM import_items WHERE batch_id = $1 AND status IN ('pending', 'running'))"""
_ITEMS = """
    SELECT import_items.*, renders.object_key FROM import_items LEFT JOIN renders ON renders.id = render_id
    WHERE batch_id = $1 ORDER BY number"""
# Under the batch's row lock the second statement counts exactly how many are under way.
_BATCH = """
    UPDATE batches SET served_at = clock_timestamp() WHERE id = (
      SELECT id FROM batches WHERE kind = 'import' AND finished_at IS NULL AND (
        EXISTS (
          SELECT FROM import_items WHERE batch_id = batches.id AND status = 'running' AND lease_until < now())
        OR EXISTS (SELECT FROM import_items WHERE batch_id = batches.id AND status = 'pending') AND concurrency > (
          SELECT count(*) FROM import_items WHERE batch_id = batches.id AND status = 'running'))
      ORDER BY served_at NULLS FIRST, created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, concurrency"""
# Of two items for the same picture the second waits until the first has ended: then it is stored, or may be tried.
_CLAIM = """
    WITH next AS MATERIALIZED (
      SELECT id FROM import_items AS item WHERE batch_id = $1 AND (
        status = 'running' AND lease_until < now()
        OR status = 'pending'
          AND $2 > (SELECT count(*) FROM import_items WHERE batch_id = $1 AND status = 'running')
          AND NOT EXISTS (
            SELECT FROM import_items AS before WHERE before.batch_id = $1 AND before.number < item.number
            AND before.status IN ('pending', 'running')
            AND (before.source_hash = item.source_hash OR before.design_id = item.design_id)))
      ORDER BY status = 'pending', number LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE import_items AS item SET status = 'running', fence = fence + 1,
      takeovers = takeovers + (item.status = 'running')::int, lease_until = clock_timestamp() + $3::interval
    FROM next, accounts WHERE item.id = next.id AND accounts.id = item.account_id
    RETURNING item.*, accounts.name AS account_name"""
_HEARTBEAT = """
    UPDATE import_items SET lease_until = clock_timestamp() + $3::interval
    WHERE id = $1 AND fence = $2 AND status = 'running' RETURNING true"""
_HELD = "SELECT true FROM import_items WHERE id = $1 AND fence = $2 AND status = 'running' FOR UPDATE"
_RELEASE = """
    UPDATE import_items SET status = 'pending', lease_until = NULL
    WHERE id = $1 AND fence = $2 AND status = 'running'"""
_END = """
    UPDATE import_items SET status = $2, render_id = $3, error = $4, lease_until = NULL,
      finished_at = clock_timestamp() WHERE id = $1"""
_STORED = """
    SELECT renders.id, renders.object_key, coalesce(render_variants.object_key, renders.object_key) AS thumbnail_key
    FROM renders LEFT JOIN render_variants ON render_id = renders.id AND kind = 'thumbnail'
    WHERE account_id = $1 AND (source_hash = $2 OR design_id = $3) ORDER BY renders.created_at LIMIT 1"""
_INSERT_RENDER = """
    INSERT INTO renders (id, account_id, run_id, picture, workflow_id, node_id, object_key, width, height, content_type,
      prompt, provider, model, source_hash, design_id)
    VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, '', $10, '', $11, $12) ON CONFLICT DO NOTHING RETURNING id"""
_MAY_WRITE = """
    SELECT role IN ('owner', 'editor') FROM workflow_roles WHERE workflow_id = $1 AND account_id = $2"""
_HAS_RUN = """
    SELECT true FROM runs WHERE subject_id = $1 AND node_id = $2 AND status IN ('pending', 'running')"""
_RETIRE = "DELETE FROM batches WHERE kind = 'import' AND finished_at < now() - make_interval(days => $1)"
