"""Migrations 0022 to 0024, on an installation with logs: what a workflow takes along, and who waits meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from app import migrate as migrating
from app.migrate import migrate
from canvas.store.postgres import Connection
from tests.app.sites import empty_database
from tests.ops.test_upgrades import at, waits_for

BEFORE, NEWEST_CHECKS = "0021", "0024"


@pytest.fixture
def database() -> Iterator[str]:
    """Two workflows of the schema before, each with what a push leaves."""

    async def fill(url: str) -> None:
        await migrate(url, to=BEFORE)
        async with at(url) as connection:
            await connection.execute(_TWO_WORKFLOWS)

    with empty_database() as url:
        asyncio.run(fill(url))
        yield url


async def owners(connection: Connection) -> list[str]:
    """Whose rows there are, table by table."""
    tables = ("workflow_ops", "workflow_pushes", "workflow_nodes", "workflow_edges")
    return [await connection.fetchval(f"SELECT string_agg(workflow_id, '') FROM {table}") or "" for table in tables]


def test_what_was_there_before_goes_with_its_workflow(database: str) -> None:
    """UP3, RT2"""

    async def upgrade() -> None:
        await migrate(database, to=NEWEST_CHECKS)
        async with at(database) as connection:
            assert await owners(connection) == ["ab", "ab", "ab", "ab"]
            assert await connection.fetchval(_UNPROVEN) == 0, "old rows are known to hold no picture"
            await connection.execute("DELETE FROM workflows WHERE id = 'a'")
            assert await owners(connection) == ["b", "b", "b", "b"]

    asyncio.run(upgrade())


def test_emptying_the_table_of_workflows_leaves_no_log(database: str) -> None:
    """RT2: as the references did"""

    async def upgrade() -> None:
        await migrate(database, to=NEWEST_CHECKS)
        async with at(database) as connection:
            await connection.execute("TRUNCATE workflows CASCADE")
            assert await owners(connection) == ["", "", "", ""]

    asyncio.run(upgrade())


def test_a_deleted_workflow_takes_its_log_along_at_each_step(database: str) -> None:
    """UP3, UP4: at no revision is there neither a reference nor a trigger"""

    async def upgrade() -> None:
        for step, revision in enumerate(("0022", "0023", NEWEST_CHECKS)):
            await migrate(database, to=revision)
            async with at(database) as connection:
                await connection.execute("DELETE FROM workflows WHERE id = 'a'")
                assert await owners(connection) == ["b", "b", "b", "b"], step
                await connection.execute("DELETE FROM workflows WHERE id = 'b'")
                await connection.execute(_TWO_WORKFLOWS)

    asyncio.run(upgrade())


def test_who_has_begun_at_the_workflow_gets_at_its_rows_while_the_migrator_waits(database: str) -> None:
    """UP4, UP5: tables are locked in the servers' order, so neither is ended as a deadlock"""

    async def upgrade() -> None:
        await migrate(database, to="0021")
        async with at(database) as server, at(database) as watcher:
            transaction = server.transaction()
            await transaction.start()
            await server.execute("SELECT FROM workflows WHERE id = 'a'")
            migration = asyncio.create_task(migrate(database, to="0022"))
            await asyncio.wait_for(waits_for(watcher, "%workflow%"), 30)
            await server.execute("SET LOCAL lock_timeout = '100ms'")
            for table in ("workflow_ops", "workflow_pushes", "workflow_nodes", "workflow_edges"):
                await server.execute(f"UPDATE {table} SET workflow_id = workflow_id")
            assert not migration.done()
            await transaction.commit()
            assert await migration == ["0022"]

    asyncio.run(upgrade())


def test_what_was_applied_before_the_migrator_had_to_wait_is_told(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UP5: and at no time is a table without its CHECK"""
    monkeypatch.setattr(migrating, "LOCK_WAIT_MS", 50)

    async def upgrade() -> None:
        async with at(database) as holder:
            transaction = holder.transaction()
            await transaction.start()
            await holder.execute("LOCK TABLE workflow_nodes IN ACCESS SHARE MODE")
            with capture_logs() as said:
                migration = asyncio.create_task(migrate(database, to=NEWEST_CHECKS))
                async with asyncio.timeout(30):
                    while not said:
                        await holder.execute("SELECT 1")
            assert [("strpos" in each["check"]) for each in await holder.fetch(_CHECKS)] == [False, False, True]
            await transaction.commit()
            assert await migration == ["0022", "0023", "0024"]
            assert [("strpos" in each["check"]) for each in await holder.fetch(_CHECKS)] == [True, True, True]

    asyncio.run(upgrade())


def test_old_rows_are_read_while_others_write(database: str) -> None:
    """UP4, UP5: the log may be long"""

    async def upgrade() -> None:
        await migrate(database, to="0023")
        async with at(database) as server, server.transaction():
            assert await server.fetchval(_UNPROVEN) == 3
            await server.execute("UPDATE workflow_ops SET ops = '[1]'; UPDATE workflow_nodes SET ord = 2")
            await server.execute("UPDATE workflow_edges SET ord = 2")
            assert await asyncio.wait_for(migrate(database, to=NEWEST_CHECKS), 30) == [NEWEST_CHECKS]

    asyncio.run(upgrade())


_CHECKS = """
    SELECT pg_get_constraintdef(oid) AS check FROM pg_constraint WHERE conname = 'no_base64_picture'
    AND conrelid IN ('workflow_edges'::regclass, 'workflow_nodes'::regclass, 'workflow_ops'::regclass)
    ORDER BY conrelid::regclass::text"""
_UNPROVEN = "SELECT count(*) FROM pg_constraint WHERE conname = 'no_base64_picture' AND NOT convalidated"
_TWO_WORKFLOWS = """
    INSERT INTO workflows (id, name, epoch, seq) VALUES ('a', 'A', 'e', 1), ('b', 'B', 'e', 1);
    INSERT INTO workflow_ops (workflow_id, seq, author_id, origin, ops)
    SELECT id, 1, 'acc', 'user', '["data:image/png;base64,AAAA"]' FROM workflows;
    INSERT INTO workflow_pushes (workflow_id, account_id, client_id, client_seq, digest, result)
    SELECT id, 'acc', 'tab', 1, '', '{}' FROM workflows;
    INSERT INTO workflow_nodes (workflow_id, id, ord, position, fields) SELECT id, 'n', 1, '{}', '{}' FROM workflows;
    INSERT INTO workflow_edges (workflow_id, id, source, target, ord, record)
    SELECT id, 'e', 'n', 'n', 1, '{}' FROM workflows"""
