"""Documents in PostgreSQL: one row a record, one row a transaction, all under the workflow's row lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import structlog

from canvas.errors import Invalid, NotFound, Unavailable
from canvas.graph import Graph, Record
from canvas.ops import Op, Removed, Update
from canvas.protocol import Author, Result, Transaction, encode_each
from canvas.push import Answered, Batch, Ledger, Past, Push
from canvas.relay.port import OpsHint
from canvas.room import Room
from canvas.store.append import append
from canvas.store.port import Document, Head, Resumption, Tail

if TYPE_CHECKING:  # asyncpg's classes take a parameter in its stubs only
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
    Pool = asyncpg.Pool

MAX_RESUME_BYTES = 8 << 20  # as they are stored; a snapshot is seldom longer
MAX_UNDO = 10_000  # transactions that are looked through for what others wrote since

log = structlog.get_logger(__name__)

_ops = msgspec.json.Decoder(list[Op])
_removed = msgspec.json.Decoder(Removed)
_result = msgspec.json.Decoder(Result)
_value = msgspec.json.Decoder()


_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that broke under another operation and does not know it yet
    asyncpg.OperatorInterventionError,  # it is being stopped, or is starting
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # deadlock, serialization: the same again is right
    asyncpg.ReadOnlySQLTransactionError,  # a standby that has not taken over yet
)


@asynccontextmanager
async def reaching_the_database() -> AsyncIterator[None]:
    """Says Unavailable when PostgreSQL cannot be reached or take the work right now, whatever the driver calls it."""
    try:
        yield
    except asyncpg.CharacterNotInRepertoireError as error:
        raise Invalid(
            "The character U+0000 cannot be stored or looked for; remove it.", code="NUL_CHARACTER"
        ) from error
    except _AWAY as error:
        if isinstance(error, ValueError):  # the driver's DataError: a value that no column can hold
            raise
        detail = "The database cannot be reached right now. Try again in a moment."
        raise Unavailable(detail, code="DATABASE_FAILED") from error


# What a job needs, inside its own transaction


async def lock_workflow(connection: Connection, workflow_id: str) -> Head | None:
    """Take the workflow's row lock until the transaction ends; None: unknown, or in the trash."""
    row = await connection.fetchrow(
        f"SELECT {_HEAD} FROM workflows WHERE id = $1 AND deleted_at IS NULL FOR UPDATE", workflow_id
    )
    return _head_of(row) if row else None


async def set_on_node(
    connection: Connection,
    workflow_id: str,
    head: Head,
    node_id: str,
    values: dict[str, Any],
    *,
    author_id: str,
    unset: tuple[str, ...] = (),
) -> OpsHint | None:
    """Append one op with origin `job` that sets pointers below `/data`; None when the node is gone or has them.

    `head`: what `lock_workflow` answered in the caller's transaction, which must commit before it publishes the hint.
    Only this node is read: a job's write costs the same in a document of ten nodes and of ten thousand.
    """
    row = await connection.fetchrow(_NODE, workflow_id, node_id)
    if row is None:
        return None
    graph = Graph()  # of this node alone: nothing below /data depends on the others
    graph.put("node", _node_of(row), row["ord"])
    graph.settle()
    push = Push(Author(author_id, "job"), [Update("node", node_id, values, unset)], b"")
    batch = Room(workflow_id, head.epoch, head.seq, graph).prepare([push], Ledger({}, {}), Past(), head.at)
    (_, result) = batch.decisions[0]
    if result.error is not None:  # the node is full: what happened to its run is told by the run
        log.warning("node.write_refused", workflow=workflow_id, node=node_id, code=result.error.code)
    if not batch.transactions:
        return None
    await PostgresLock(connection, workflow_id, head).write(batch)
    return OpsHint.of(head.epoch, batch.seq, encode_each(batch.transactions))


# What a room needs


class PostgresLock:
    def __init__(self, connection: Connection, workflow_id: str, head: Head) -> None:
        self._connection = connection
        self._workflow_id = workflow_id
        self.head = head

    async def since(self, seq: int) -> list[Transaction]:
        if seq >= self.head.seq:
            return []
        return _transactions(await self._connection.fetch(_SINCE, self._workflow_id, seq, None))

    async def ledger(self, pushes: list[Push]) -> Ledger:
        clients = sorted({push.client for push in pushes if push.client is not None})
        if not clients:
            return Ledger({}, {})
        accounts, ids = [client[0] for client in clients], [client[1] for client in clients]
        rows = await self._connection.fetch(_LAST, self._workflow_id, accounts, ids)
        ledger = Ledger({(row["account_id"], row["client_id"]): row["last"] or 0 for row in rows}, {})
        again = [push for push in pushes if push.client and (push.author.client_seq or 0) <= ledger.last[push.client]]
        for push in again:
            row = await self._connection.fetchrow(
                _ANSWERED, self._workflow_id, push.author.user_id, push.author.client_id, push.author.client_seq
            )
            if row is not None and push.client is not None and push.author.client_seq is not None:
                answered = Answered(row["digest"], _result.decode(row["result"]))
                ledger.answered[(*push.client, push.author.client_seq)] = answered
        return ledger

    async def past(self, pushes: list[Push]) -> Past:
        removed_by: dict[int, Removed] = {}
        log: list[Transaction] = []
        if seqs := {seq for push in pushes for seq in push.restored()}:
            rows = await self._connection.fetch(_REMOVED, self._workflow_id, list(seqs))
            removed_by = {row["seq"]: _removed.decode(row["removed"]) if row["removed"] else Removed() for row in rows}
        if undone := [push.undo_of for push in pushes if push.undo_of is not None]:
            first = max(min(undone), self.head.seq - MAX_UNDO)
            log = _transactions(await self._connection.fetch(_SINCE, self._workflow_id, first - 1, None))
        return Past(removed_by, log)

    async def write(self, batch: Batch) -> None:
        """Raises Invalid for what the database refuses though the rules let it pass."""
        head = self.head
        if not await append(self._connection, self._workflow_id, head.epoch, head.seq, batch):
            raise RuntimeError(f"A batch up to {batch.seq} was not decided at the head it was written to: {head}.")


class PostgresStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def lock(self, workflow_id: str) -> AsyncIterator[PostgresLock]:
        async with reaching_the_database(), self._pool.acquire() as connection, connection.transaction():
            head = await lock_workflow(connection, workflow_id)
            if head is None:
                raise NotFound("There is no such workflow.")
            yield PostgresLock(connection, workflow_id, head)

    async def append(self, workflow_id: str, epoch: str, after: int, batch: Batch) -> bool:
        async with reaching_the_database():
            return await append(self._pool, workflow_id, epoch, after, batch)

    async def load(self, workflow_id: str) -> Document | None:
        async with (
            reaching_the_database(),
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            row = await connection.fetchrow(_WORKFLOW, workflow_id)
            if row is None:
                return None
            graph = Graph(name=row["name"], viewport=_value.decode(row["viewport"]) if row["viewport"] else None)
            for node in await connection.fetch(_NODES, workflow_id):
                graph.put("node", _node_of(node), node["ord"])
            for edge in await connection.fetch(_EDGES, workflow_id):
                graph.put("edge", _value.decode(edge["record"]), edge["ord"])
            graph.settle()
            return Document(_head_of(row), graph)

    async def resumption(
        self, workflow_id: str, account_id: str, client_id: str, *, after: int | None, acked: int | None
    ) -> Resumption:
        if acked is None:  # one statement needs no transaction: a join costs three round trips less
            async with reaching_the_database():
                client = await self._pool.fetchrow(_CLIENT, workflow_id, account_id, client_id, None)
            if client is None:
                raise NotFound("There is no such workflow.")
            return Resumption(client["epoch"], client["last"], [], None)
        async with (
            reaching_the_database(),
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            client = await connection.fetchrow(_CLIENT, workflow_id, account_id, client_id, after)
            if client is None:
                raise NotFound("There is no such workflow.")
            rows = await connection.fetch(_RESULTS, workflow_id, account_id, client_id, acked)
            results = [_result.decode(row["result"]) for row in rows]
            missed = None
            if after is not None and client["missed_bytes"] <= MAX_RESUME_BYTES:
                missed = _transactions(await connection.fetch(_SINCE, workflow_id, after, None))
            return Resumption(client["epoch"], client["last"], results, missed)

    async def tail(self, workflow_id: str, after: int, limit: int | None = None) -> Tail | None:
        async with reaching_the_database():
            rows = await self._pool.fetch(_TAIL, workflow_id, after, limit)
        if not rows:
            return None
        head = Head(rows[0]["epoch"], rows[0]["head"], rows[0]["now"], rows[0]["access"])
        return Tail(head, _transactions(row for row in rows if row["seq"] is not None))

    async def heads(self, workflow_ids: list[str]) -> dict[str, Head]:
        async with reaching_the_database():
            rows = await self._pool.fetch(_HEADS, workflow_ids)
        return {row["id"]: _head_of(row) for row in rows}


# Rows and records


def _head_of(row: asyncpg.Record) -> Head:
    return Head(row["epoch"], row["seq"], row["at"], row["access"])


def _node_of(row: asyncpg.Record) -> Record:
    record: Record = {"id": row["id"]}
    if row["node_type"] is not None:
        record["type"] = row["node_type"]
    record["position"] = _value.decode(row["position"])
    if row["node_data"] is not None:
        record["data"] = _value.decode(row["node_data"])
    record.update(_value.decode(row["fields"]))
    return record


def _transactions(rows: Iterable[asyncpg.Record]) -> list[Transaction]:
    return [
        Transaction(
            row["seq"],
            Author(row["author_id"], row["origin"], row["client_id"], row["client_seq"]),
            row["at"],
            _ops.decode(row["ops"]),
            row["undo_of"],
        )
        for row in rows
    ]


# Queries

_HEAD = "epoch, seq, now() AS at, access"
_WORKFLOW = f"SELECT name, viewport, {_HEAD} FROM workflows WHERE id = $1 AND deleted_at IS NULL"
_NODES = """
    SELECT id, ord, node_type, node_data, position, fields FROM workflow_nodes
    WHERE workflow_id = $1 ORDER BY ord, id"""
_NODE = """
    SELECT id, ord, node_type, node_data, position, fields FROM workflow_nodes WHERE workflow_id = $1 AND id = $2"""
_EDGES = "SELECT id, ord, record FROM workflow_edges WHERE workflow_id = $1 ORDER BY ord, id"
_HEADS = f"SELECT id, {_HEAD} FROM workflows WHERE id = ANY($1::text[]) AND deleted_at IS NULL"
_TRANSACTION = "seq, author_id, client_id, client_seq, origin, ops, at, undo_of"
_SINCE = f"SELECT {_TRANSACTION} FROM workflow_ops WHERE workflow_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
_TAIL = f"""
    SELECT epoch, workflows.seq AS head, now() AS now, access, log.*
    FROM workflows LEFT JOIN LATERAL (
      SELECT {_TRANSACTION} FROM workflow_ops WHERE workflow_id = workflows.id AND workflow_ops.seq > $2
      ORDER BY workflow_ops.seq LIMIT $3) AS log ON true
    WHERE id = $1 AND deleted_at IS NULL ORDER BY log.seq"""
_REMOVED = "SELECT seq, removed FROM workflow_ops WHERE workflow_id = $1 AND seq = ANY($2::bigint[])"
_LAST = """
    SELECT client.account_id, client.client_id, (
      SELECT max(client_seq) FROM workflow_pushes AS push WHERE push.workflow_id = $1
      AND push.account_id = client.account_id AND push.client_id = client.client_id) AS last
    FROM unnest($2::text[], $3::text[]) AS client (account_id, client_id)"""
_CLIENT = """
    SELECT epoch, coalesce((
      SELECT max(client_seq) FROM workflow_pushes
      WHERE workflow_id = $1 AND account_id = $2 AND client_id = $3), 0) AS last, (
      SELECT coalesce(sum(pg_column_size(ops)), 0) FROM workflow_ops
      WHERE workflow_id = $1 AND workflow_ops.seq > $4) AS missed_bytes
    FROM workflows WHERE id = $1 AND deleted_at IS NULL"""
_ANSWERED = """
    SELECT digest, result FROM workflow_pushes
    WHERE workflow_id = $1 AND account_id = $2 AND client_id = $3 AND client_seq = $4"""
_RESULTS = """
    SELECT result FROM workflow_pushes
    WHERE workflow_id = $1 AND account_id = $2 AND client_id = $3 AND client_seq > $4 ORDER BY client_seq"""
