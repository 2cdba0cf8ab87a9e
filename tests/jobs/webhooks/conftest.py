"""A workflow with runs that wait for providers, and the inbox."""

from __future__ import annotations

import pytest

from canvas.relay.memory import MemoryRelay
from canvas.relay.port import CallHint, Hint
from canvas.store.postgres import Pool
from jobs.webhooks.inbox import Inbox

FIRST, SECOND = "1" * 32, "2" * 32


class Desk:
    def __init__(self, database: Pool) -> None:
        self.database = database
        self.relay = MemoryRelay()
        self.hints: list[Hint] = []
        self.inbox = Inbox(database, self.relay)

    @property
    def woken(self) -> list[str]:
        return [hint.order_id for hint in self.hints if isinstance(hint, CallHint)]

    async def call(
        self, order_id: str = FIRST, *, provider: str = "replicate", job_id: str | None = None, state: str = "sending"
    ) -> str:
        """A run of its own with one call; answers the run's id."""
        run_id = f"run_{order_id[:4]}"
        await self.database.execute(
            """
            INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request, payload)
            VALUES ($1, 'wf', $1, 'ada', 'running', 'arq', $2, 'm', '{}', '{"salt":"salt"}') ON CONFLICT DO NOTHING""",
            run_id,
            provider,
        )
        await self.database.execute(
            """
            INSERT INTO provider_calls
              (id, run_id, number, attempt, provider, model, credential, request_hash, state, job_id)
            VALUES ($1, $2, 0, 1, $3, 'm', 'c', '', $4, $5)""",
            order_id,
            run_id,
            provider,
            state,
            job_id,
        )
        return run_id

    async def ends(self, run_id: str) -> None:
        await self.database.execute("UPDATE runs SET status = 'completed', finished_at = now() WHERE id = $1", run_id)

    async def job_of(self, order_id: str = FIRST) -> str | None:
        found: str | None = await self.database.fetchval("SELECT job_id FROM provider_calls WHERE id = $1", order_id)
        return found

    async def events(self) -> list[str]:
        rows = await self.database.fetch(
            "SELECT kind, payload ->> 'message' AS message FROM run_events ORDER BY workflow_seq"
        )
        return [f"{row['kind']}: {row['message']}" for row in rows]

    async def rows(self) -> int:
        found: int = await self.database.fetchval("SELECT count(*) FROM webhook_inbox")
        return found

    async def grow_older(self, interval: str) -> None:
        await self.database.execute(f"UPDATE webhook_inbox SET received_at = now() - interval '{interval}'")


@pytest.fixture
async def desk(database: Pool) -> Desk:
    await database.execute("""
        TRUNCATE accounts, workflows, webhook_inbox CASCADE;
        INSERT INTO accounts (id, name, color) VALUES ('ada', 'Ada', '#a0f');
        INSERT INTO workflows (id, name, epoch) VALUES ('wf', 'Foxes', 'e1');
    """)
    desk = Desk(database)
    await desk.relay.subscribe("wf", desk.hints.append)
    return desk
