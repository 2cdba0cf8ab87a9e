"""Lists of runs against a plain reading of the same rows, whichever way they are looked for."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.store import run_lists
from jobs.store.run_lists import Wanted
from tests.jobs.world import World

pytestmark = pytest.mark.anyio

BEGAN = datetime(2026, 11, 22, tzinfo=UTC)
ACCOUNTS, WORKFLOWS, RUNS, QUESTIONS = 4, 12, 300, 60
REQUEST = '{"nodeId": "n0", "workflowId": "w0", "provider": "local", "promptSpec": {"basePrompt": "a fox"}}'
INSERT = """
    INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request, payload,
      started_at, finished_at, is_dead)
    VALUES ($1, $2, $3, $9, $4, 'x', $5, 'm', $8, '{"salt": "x"}', $6, $6, $7)"""
STATUSES = ("completed", "failed", "cancelled")


async def populate(world: World, dice: random.Random) -> tuple[dict[str, set[str]], list[dict[str, Any]]]:
    """Who may see which workflows, and every run, newest first; several began at the same moment."""
    members: dict[str, set[str]] = {}
    for number in range(WORKFLOWS):
        await world.database.execute("INSERT INTO workflows (id, name, epoch) VALUES ($1, 'W', 'e')", f"w{number}")
    for number in range(ACCOUNTS):
        account = f"a{number}"
        await world.database.execute("INSERT INTO accounts (id, name, color) VALUES ($1, 'A', '#000')", account)
        members[account] = {f"w{each}" for each in dice.sample(range(WORKFLOWS), number * WORKFLOWS // ACCOUNTS)}
        for workflow in members[account]:
            await world.database.execute(
                "INSERT INTO members (workflow_id, account_id, role, may_run) VALUES ($1, $2, 'editor', true)",
                workflow,
                account,
            )
    runs = []
    for number in range(RUNS):
        status = dice.choice(STATUSES)
        run = {
            "id": f"r{number:03}",
            "subject_id": f"w{dice.randrange(WORKFLOWS)}",
            "node_id": f"n{dice.randrange(3)}",
            "status": status,
            "account_id": f"a{dice.randrange(ACCOUNTS)}",
            "provider": dice.choice(("local", "openai")),
            "is_dead": status == "failed" and dice.random() < 0.5,
            "started_at": BEGAN + timedelta(minutes=dice.randrange(RUNS // 3)),
        }
        await world.database.execute(
            INSERT,
            *(run[name] for name in ("id", "subject_id", "node_id", "status", "provider", "started_at", "is_dead")),
            REQUEST,
            run["account_id"],
        )
        runs.append(run)
    return members, sorted(runs, key=lambda run: (run["started_at"], run["id"]), reverse=True)


def some_wanted(dice: random.Random, runs: list[dict[str, Any]]) -> Wanted:
    def maybe(value: Any) -> Any:
        return value if dice.random() < 0.3 else None

    last = dice.choice(runs)
    return Wanted(
        workflow_id=maybe(f"w{dice.randrange(WORKFLOWS)}"),
        node_id=maybe("n1"),
        status=maybe(dice.choice(STATUSES)),
        provider=maybe("openai"),
        dead=maybe(dice.random() < 0.5),
        before=maybe((last["started_at"], last["id"])),
        started_by=maybe("a1"),
    )


def is_wanted(run: dict[str, Any], wanted: Wanted) -> bool:
    asked = {
        "subject_id": wanted.workflow_id,
        "node_id": wanted.node_id,
        "status": wanted.status,
        "provider": wanted.provider,
        "is_dead": wanted.dead,
        "account_id": wanted.started_by,
    }
    is_older = wanted.before is None or (run["started_at"], run["id"]) < wanted.before
    return is_older and all(value is None or run[name] == value for name, value in asked.items())


@pytest.mark.parametrize("recent", [1, 40, 500])
async def test_a_page_is_what_a_plain_reading_finds(world: World, monkeypatch: pytest.MonkeyPatch, recent: int) -> None:
    """JB45. EASEL_TEST_SEED repeats it."""
    seed = int(os.environ.get("EASEL_TEST_SEED") or random.randrange(2**32))
    print(f"EASEL_TEST_SEED={seed}")
    dice = random.Random(seed)
    monkeypatch.setattr(run_lists, "RECENT", recent)
    members, runs = await populate(world, dice)

    for _ in range(QUESTIONS):
        account, wanted, limit = dice.choice(list(members)), some_wanted(dice, runs), dice.choice((1, 7, 50))
        found = [run.id for run in await run_lists.visible_to(world.database, account, wanted, limit)]
        plain = [run["id"] for run in runs if run["subject_id"] in members[account] and is_wanted(run, wanted)]
        assert found == plain[:limit], (account, wanted, limit)
