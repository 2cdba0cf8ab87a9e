"""The pool of a process's connections: what a borrower leaves behind is no concern of the next one's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.database import open_pool
from canvas.store.postgres import Pool, PostgresStore

pytestmark = pytest.mark.anyio


@pytest.fixture
async def only_one(database_url: str) -> AsyncIterator[Pool]:
    """A pool of a single connection, which everybody has in turn."""
    async with await open_pool(database_url, max_size=1) as pool:
        yield pool


async def test_argument_that_cannot_be_encoded_leaves_no_transaction(only_one: Pool) -> None:
    """The statement is prepared by then, and the driver never sends what would end it."""
    with pytest.raises(asyncpg.DataError, match="out of int32 range"):
        await only_one.fetchval("SELECT $1::int4", 1 << 40)

    assert await PostgresStore(only_one).load("wf_nobody") is None


async def test_caller_cancelled_between_preparing_and_executing_leaves_no_transaction(only_one: Pool) -> None:
    async with only_one.acquire() as connection:
        call = connection.fetchval("SELECT count(*) FROM workflows")
        prepared: asyncio.Future[object] = call.send(None)  # by hand: a task cannot be told to stop just here
        await asyncio.wait([prepared])
        with pytest.raises(asyncio.CancelledError):
            call.throw(asyncio.CancelledError())

    assert await PostgresStore(only_one).load("wf_nobody") is None


async def test_release_after_success_asks_nothing(only_one: Pool) -> None:
    asked: list[str] = []
    async with only_one.acquire() as connection:
        connection.add_query_logger(lambda statement: asked.append(statement.query))
        await connection.fetchval("SELECT 1")

    assert await only_one.fetchval("SELECT 2") == 2
    assert asked == ["SELECT 1", "SELECT 2"]
