"""What has expired is taken away; what has not stays."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import asyncpg

from app.auth.accounts import create
from app.auth.sessions import open_session
from app.auth.tokens import mint_ticket, use_ticket
from app.sweeper import sweep
from tests.app.running import Process, execute
from tests.app.test_cli import easel


def test_expired_rows_go_and_live_ones_stay(database_url: str) -> None:
    async def scenario() -> None:
        async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
            async with pool.acquire() as connection:
                account = await create(connection, "Sweep")
                await open_session(connection, account.id)
                await open_session(connection, account.id)
            ticket = await mint_ticket(pool, account.id, None, None)
            await pool.execute(_TWO_KEYS, account.id)
            await pool.execute(_EXPIRE_ONE, account.id)

            await sweep(pool)

            assert await pool.fetchval("SELECT count(*) FROM sessions WHERE account_id = $1", account.id) == 1
            keys = await pool.fetch("SELECT key FROM idempotency_keys WHERE account_id = $1", account.id)
            assert [row["key"] for row in keys] == ["new"]
            assert await use_ticket(pool, ticket) == (account.id, None, None, False)

    asyncio.run(scenario())


def test_orphans_are_shown_by_the_command_and_swept_by_the_worker(own_environment: dict[str, str]) -> None:
    """OB4"""
    account = "INSERT INTO accounts (id, name, color) VALUES ('acc_ada', 'Ada', '#0f766e')"
    asyncio.run(execute(own_environment["EASEL_DATABASE_URL"], account))
    folder = Path(own_environment["EASEL_DATA_DIR"]) / "objects" / "originals" / "acc_ada"
    folder.mkdir(parents=True)
    old, young = folder / "old.png", folder / "young.png"
    for file in (old, young):
        file.write_bytes(b"a picture")
    two_days_ago = time.time() - 2 * 86400
    os.utime(old, (two_days_ago, two_days_ago))

    done = easel("objects", "sweep", **own_environment)
    Process("worker", own_environment, "objects.swept").stop()

    assert done.returncode == 0, done.stderr
    assert "originals/acc_ada/old.png" in done.stdout
    assert "young" not in done.stdout
    assert "Nothing was deleted" in done.stdout
    assert (old.exists(), young.exists()) == (False, True)


_TWO_KEYS = """
    INSERT INTO idempotency_keys (account_id, route, key, digest, created_at)
    VALUES ($1, 'r', 'old', '', now() - interval '25 hours'), ($1, 'r', 'new', '', now())"""
_EXPIRE_ONE = """
    UPDATE sessions SET expires_at = now() - interval '1 second'
    WHERE token_hash = (SELECT token_hash FROM sessions WHERE account_id = $1 LIMIT 1)"""
