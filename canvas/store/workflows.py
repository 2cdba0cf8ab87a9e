"""Workflows as things one has: create, list, rename by op, trash; and who may do what with them."""

from __future__ import annotations

import secrets
from datetime import datetime

import asyncpg
import msgspec

from canvas.access import Action, Role, may, refusal
from canvas.errors import Conflict, NotFound, changed_meanwhile
from canvas.graph import Placed, Touched
from canvas.ids import new_id
from canvas.protocol import Author, Transaction
from canvas.push import Batch
from canvas.store.access_events import acting
from canvas.store.port import Head
from canvas.store.postgres import Connection, Pool, PostgresLock, reaching_the_database
from canvas.transfer import Imported


class Membership(msgspec.Struct, frozen=True):
    role: Role
    may_run: bool
    access: int
    """How often it had been changed who may do what in this workflow."""


class WorkflowSummary(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    name: str
    role: Role
    epoch: str
    seq: int
    created_at: datetime
    updated_at: datetime


class Member(msgspec.Struct, frozen=True, rename="camel"):
    account_id: str
    name: str
    color: str
    role: Role
    may_run: bool


class Workflows:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, owner_id: str, name: str, imported: Imported) -> str:
        """A new workflow; what was imported is its first transaction, so that the log tells the whole document."""
        workflow_id, epoch = new_id("wf"), secrets.token_urlsafe(9)
        async with reaching_the_database(), self._pool.acquire() as connection, connection.transaction():
            at = await connection.fetchval(_INSERT, workflow_id, name, epoch, _json(imported.viewport))
            await connection.execute(_INSERT_OWNER, workflow_id, owner_id)
            if imported.ops:
                transaction = Transaction(1, Author(owner_id, "rest"), at, imported.ops)
                touched = Touched(_all(imported.graph.nodes), _all(imported.graph.edges), None)
                batch = Batch(1, transactions=[transaction], touched=touched)
                await PostgresLock(connection, workflow_id, Head(epoch, 0, at, access=0)).write(batch)
        return workflow_id

    async def membership(
        self, workflow_id: str, account_id: str, action: Action, *, in_trash: bool = False
    ) -> Membership:
        """What `account_id` is to a workflow. Raises NotFound without a role, Forbidden when it may not do `action`."""
        async with reaching_the_database():
            row = await self._pool.fetchrow(_MEMBERSHIP, workflow_id, account_id, in_trash)
        membership = Membership(row["role"], row["may_run"], row["access"]) if row else None
        if membership is None or not may(membership.role, action, may_run=membership.may_run):
            raise refusal(membership.role if membership else None, action)
        return membership

    async def may_write_anywhere(self, account_id: str) -> bool:
        async with reaching_the_database():
            return bool(await self._pool.fetchval(_WRITES, account_id))

    async def roles_of(self, workflow_id: str, account_ids: list[str]) -> dict[str, Role]:
        async with reaching_the_database():
            rows = await self._pool.fetch(_ROLES, workflow_id, account_ids)
        return {row["account_id"]: row["role"] for row in rows}

    async def page(
        self, account_id: str, *, limit: int, before: tuple[datetime, str] | None, in_trash: bool = False
    ) -> list[WorkflowSummary]:
        """Newest change first; `before`: the last one of the page before."""
        at, id_ = before if before is not None else (None, None)
        async with reaching_the_database():
            rows = await self._pool.fetch(_LIST, account_id, at, id_, limit, in_trash)
        return [WorkflowSummary(**row) for row in rows]

    async def summary(self, workflow_id: str, account_id: str) -> WorkflowSummary:
        async with reaching_the_database():
            row = await self._pool.fetchrow(_SUMMARY, workflow_id, account_id)
        if row is None:
            raise NotFound("There is no such workflow, or you have not been invited to it.")
        return WorkflowSummary(**row)

    async def move_to_trash(self, workflow_id: str, *, if_seq: int | None = None) -> None:
        """Raises PreconditionFailed when it is not at `if_seq` any more."""
        async with reaching_the_database():
            gone = await self._pool.fetchval(_TO_TRASH, workflow_id, if_seq)
        if gone is None:
            raise changed_meanwhile()

    async def take_from_trash(self, workflow_id: str) -> None:
        async with reaching_the_database():
            await self._pool.execute("UPDATE workflows SET deleted_at = NULL WHERE id = $1", workflow_id)

    async def members(self, workflow_id: str) -> list[Member]:
        async with reaching_the_database():
            rows = await self._pool.fetch(_MEMBERS, workflow_id)
        return [Member(**row) for row in rows]

    async def set_member(self, workflow_id: str, account_id: str, role: Role, *, by: str) -> None:
        """Raises Conflict for the owner's own role, NotFound for an unknown account."""
        async with reaching_the_database(), self._pool.acquire() as connection, connection.transaction():
            await acting(connection, by)
            try:
                await add_member(connection, workflow_id, account_id, role, may_run=role != "viewer")
            except asyncpg.ForeignKeyViolationError as error:
                raise NotFound("There is no such account.") from error

    async def remove_member(self, workflow_id: str, account_id: str, *, by: str) -> None:
        async with reaching_the_database(), self._pool.acquire() as connection, connection.transaction():
            await acting(connection, by)
            gone = await connection.fetchval(_REMOVE_MEMBER, workflow_id, account_id)
        if gone is None:
            raise NotFound("That account is no member that could be removed.")


async def add_member(connection: Connection, workflow_id: str, account_id: str, role: Role, *, may_run: bool) -> None:
    """Inside the caller's transaction. Raises Conflict for the owner's own role."""
    await connection.execute(_FORGET_GUEST, workflow_id, account_id)
    if await connection.fetchval(_SET_MEMBER, workflow_id, account_id, role, may_run) is None:
        raise Conflict("A workflow has one owner, and keeps it.", code="INVALID_STATE")


def _all(table: dict[str, Placed]) -> dict[str, Placed | None]:
    return dict(table)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


_TO_TRASH = """
    UPDATE workflows SET deleted_at = now() WHERE id = $1 AND ($2::bigint IS NULL OR seq = $2) RETURNING id"""
_INSERT = """
    INSERT INTO workflows (id, name, epoch, viewport) VALUES ($1, $2, $3, $4) RETURNING created_at"""
_INSERT_OWNER = """
    INSERT INTO members (workflow_id, account_id, role, may_run) VALUES ($1, $2, 'owner', true)"""
_MEMBERSHIP = """
    SELECT role, may_run, access FROM workflow_roles JOIN workflows ON workflows.id = workflow_id
    WHERE workflow_id = $1 AND account_id = $2 AND (deleted_at IS NOT NULL) = $3"""
_WRITES = """
    SELECT EXISTS (SELECT FROM workflow_roles JOIN workflows ON workflows.id = workflow_id
      WHERE account_id = $1 AND role <> 'viewer' AND deleted_at IS NULL)"""
_ROLES = "SELECT account_id, role FROM workflow_roles WHERE workflow_id = $1 AND account_id = ANY($2::text[])"
_LIST = """
    SELECT id, name, role, epoch, seq, workflows.created_at, updated_at
    FROM workflow_roles JOIN workflows ON workflows.id = workflow_id
    WHERE account_id = $1 AND (deleted_at IS NOT NULL) = $5
      AND ($2::timestamptz IS NULL OR (updated_at, id) < ($2, $3))
    ORDER BY updated_at DESC, id DESC LIMIT $4"""
_SUMMARY = """
    SELECT id, name, role, epoch, seq, workflows.created_at, updated_at
    FROM workflows JOIN workflow_roles ON workflows.id = workflow_id
    WHERE id = $1 AND account_id = $2 AND deleted_at IS NULL"""
_MEMBERS = """
    SELECT account_id, name, color, given.role, may_run
    FROM workflow_roles AS given JOIN accounts ON accounts.id = account_id
    WHERE workflow_id = $1 ORDER BY given.created_at, account_id"""
_SET_MEMBER = """
    INSERT INTO members AS old (workflow_id, account_id, role, may_run) VALUES ($1, $2, $3, $4)
    ON CONFLICT (workflow_id, account_id) DO UPDATE SET role = excluded.role, may_run = excluded.may_run
    WHERE old.role <> 'owner' RETURNING role"""
_REMOVE_MEMBER = """
    WITH member AS (
      DELETE FROM members WHERE workflow_id = $1 AND account_id = $2 AND role <> 'owner' RETURNING account_id
    ), guest AS (DELETE FROM share_guests WHERE workflow_id = $1 AND account_id = $2 RETURNING account_id)
    SELECT account_id FROM member UNION SELECT account_id FROM guest"""
# What links gave goes: else a lower role than theirs would not be one.
_FORGET_GUEST = "DELETE FROM share_guests WHERE workflow_id = $1 AND account_id = $2"
