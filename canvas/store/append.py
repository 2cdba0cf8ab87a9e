"""Everything that a commit writes, in one statement: one round trip, whether the lock is held or not.

The statement writes all or nothing: every part of it draws its rows from `head`, which is empty unless the log still
stands where the batch was decided. PostgreSQL takes the workflow's row lock for it, and looks again once it has it.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import msgspec

from canvas.errors import Invalid
from canvas.graph import Placed
from canvas.push import Batch

if TYPE_CHECKING:  # asyncpg's classes take a parameter in its stubs only
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Executor = Connection | asyncpg.Pool[asyncpg.Record]

_encode = msgspec.json.Encoder().encode

Columns = tuple[Any, ...]


def json(value: Any) -> str:
    return _encode(value).decode()


async def append(executor: Executor, workflow_id: str, epoch: str, after: int, batch: Batch) -> bool:
    """Write a batch that was decided at `after` of `epoch`; its transactions get the time at which they are stored.

    False, and nothing is written: the log stands elsewhere, or a number of the batch has been used. Raises Invalid for
    what the database refuses though the rules let it pass. A caller in a transaction has to end it then.
    """
    written = _written_by(batch)
    columns = [column for part in written.values() for column in part]
    try:
        at: datetime | None = await executor.fetchval(
            _statement(tuple(written)), workflow_id, epoch, after, batch.seq, *columns
        )
    except asyncpg.UniqueViolationError:
        return False
    except (asyncpg.CheckViolationError, asyncpg.DataError, asyncpg.ProgramLimitExceededError) as error:
        raise Invalid("The database refuses this change.", code="REFUSED_BY_STORE") from error
    if at is None:
        return False
    batch.stored_at(at)
    return True


def _written_by(batch: Batch) -> dict[str, Columns]:
    """By part of the statement, its parameters: a list for each column. What writes nothing is left out."""
    written: dict[str, Columns] = {}
    if batch.touched.workflow is not None:
        name, viewport = batch.touched.workflow
        written["workflow"] = (name, json(viewport))
    if batch.transactions:
        written["log"] = _log_columns(batch)
    for part, gone, table, row_of in (
        ("nodes", "nodes_gone", batch.touched.nodes, _node_row),
        ("edges", "edges_gone", batch.touched.edges, _edge_row),
    ):
        if ids := [id_ for id_, placed in table.items() if placed is None]:
            written[gone] = (ids,)
        if rows := [row_of(placed) for placed in table.values() if placed is not None]:
            written[part] = tuple(map(list, zip(*rows, strict=True)))
    if batch.numbered:
        written["pushes"] = (
            [push.author.user_id for push, _ in batch.numbered],
            [push.author.client_id for push, _ in batch.numbered],
            [push.author.client_seq for push, _ in batch.numbered],
            [push.digest for push, _ in batch.numbered],
            [json(result) for _, result in batch.numbered],
        )
    return written


def _log_columns(batch: Batch) -> Columns:
    log = batch.transactions
    return (
        [transaction.seq for transaction in log],
        [transaction.by.user_id for transaction in log],
        [transaction.by.client_id for transaction in log],
        [transaction.by.client_seq for transaction in log],
        [transaction.by.origin for transaction in log],
        [json(transaction.ops) for transaction in log],
        [json(batch.removed[t.seq]) if t.seq in batch.removed else None for t in log],
        [transaction.undo_of for transaction in log],
    )


def _node_row(placed: Placed) -> tuple[Any, ...]:
    record = placed.record
    fields = {key: value for key, value in record.items() if key not in {"id", "position", "data"}}
    if fields.get("type", "") is not None:  # `type: null` is not the same as no type: it stays a field
        fields.pop("type", None)
    return (
        record["id"],
        record.get("parentId"),
        placed.ord,
        record.get("type"),
        json(record["data"]) if "data" in record else None,
        json(record["position"]),
        json(fields),
    )


def _edge_row(placed: Placed) -> tuple[Any, ...]:
    record = placed.record
    return record["id"], record["source"], record["target"], placed.ord, json(record)


# The statement


class _Part(NamedTuple):
    sql: str
    """`{}` stands for its parameters."""
    types: tuple[str, ...]


@cache
def _statement(names: tuple[str, ...]) -> str:
    """Of these parts; with them, each server prepares it once a connection."""
    number, parts = 5, {}
    for name in names:
        part = _PARTS[name]
        places = [f"${place}::{type_}" for place, type_ in enumerate(part.types, number)]
        parts[name] = part.sql.format(*places) if name == "workflow" else part.sql.format(", ".join(places))
        number += len(places)
    head = _HEAD.format(parts.pop("workflow", ""))
    others = "".join(f", {name} AS ({sql})" for name, sql in parts.items())
    return f"WITH head AS ({head}){others} SELECT at FROM head"


_HEAD = """
    UPDATE workflows SET seq = $4, updated_at = CASE WHEN $4 > $3 THEN now() ELSE updated_at END {}
    WHERE id = $1 AND epoch = $2 AND seq = $3::bigint AND deleted_at IS NULL RETURNING now() AS at"""
_PARTS = {
    "workflow": _Part(", name = {}, viewport = {}", ("text", "json")),
    "log": _Part(
        """
        INSERT INTO workflow_ops (workflow_id, seq, author_id, client_id, client_seq, origin, ops, removed, undo_of)
        SELECT $1, one.* FROM head, unnest({}) AS one""",
        ("bigint[]", "text[]", "text[]", "bigint[]", "text[]", "json[]", "json[]", "bigint[]"),
    ),
    "nodes_gone": _Part("DELETE FROM workflow_nodes USING head WHERE workflow_id = $1 AND id = ANY({})", ("text[]",)),
    "nodes": _Part(
        """
        INSERT INTO workflow_nodes (workflow_id, id, parent_id, ord, node_type, node_data, position, fields)
        SELECT $1, one.* FROM head, unnest({}) AS one
        ON CONFLICT (workflow_id, id) DO UPDATE SET parent_id = excluded.parent_id, ord = excluded.ord,
          node_type = excluded.node_type, node_data = excluded.node_data, position = excluded.position,
          fields = excluded.fields, updated_at = now()""",
        ("text[]", "text[]", "float8[]", "text[]", "json[]", "json[]", "json[]"),
    ),
    "edges_gone": _Part("DELETE FROM workflow_edges USING head WHERE workflow_id = $1 AND id = ANY({})", ("text[]",)),
    "edges": _Part(
        """
        INSERT INTO workflow_edges (workflow_id, id, source, target, ord, record)
        SELECT $1, one.* FROM head, unnest({}) AS one
        ON CONFLICT (workflow_id, id) DO UPDATE SET source = excluded.source, target = excluded.target,
          ord = excluded.ord, record = excluded.record, updated_at = now()""",
        ("text[]", "text[]", "text[]", "float8[]", "json[]"),
    ),
    "pushes": _Part(
        """
        INSERT INTO workflow_pushes (workflow_id, account_id, client_id, client_seq, digest, result)
        SELECT $1, one.* FROM head, unnest({}) AS one""",
        ("text[]", "text[]", "bigint[]", "bytea[]", "json[]"),
    ),
}
