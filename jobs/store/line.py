"""The line of waiting runs: read from PostgreSQL, and as it was last told, in Redis. Never stored."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from canvas.relay.port import Relay, RunsHint
from canvas.store.postgres import Pool, reaching_the_database
from jobs.line import COUNTED, InLine, Waiting, line_of
from jobs.store.claims import LINES

MOST = 1000  # so many are looked at and told; those behind them hear of their place when they have come that far
LOOK_EVERY_S = 1.0

_TOLD = "easel:line"
_TURN = "easel:line:turn"
_KEEP_S = 10  # several looks: when all workers are gone, nobody's place moves, and after that nobody has one
_ANSWER_S = 1.0  # a Redis that needs longer is away
_AWAY = (RedisError, OSError)  # asyncio's TimeoutError is an OSError, too

log = structlog.get_logger(__name__)


class _Told(msgspec.Struct, frozen=True):
    workflow_id: str
    node_id: str
    in_line: InLine


_told = msgspec.msgpack.Decoder(_Told)


class Line:
    def __init__(self, database: Pool, redis: Redis, relay: Relay) -> None:
        self._database = database
        self._redis = redis
        self._relay = relay

    async def places(self, run_ids: list[str]) -> dict[str, InLine]:
        """As they were last told, of those that were. Never raises: a place may be lost."""
        if not run_ids:
            return {}
        try:
            async with asyncio.timeout(_ANSWER_S):
                found = await self._redis.hmget(_TOLD, run_ids)  # type: ignore[misc]  # redis-py types it for both
        except _AWAY as error:
            log.warning("line.unreadable", reason=type(error).__name__)
            return {}
        return {run_id: _told.decode(text).in_line for run_id, text in zip(run_ids, found, strict=True) if text}

    async def tell(self, limits: Mapping[str, int], every_s: float = LOOK_EVERY_S) -> int:
        """Tell each waiting run whose place has changed what it is now; answers how many.

        One process does it in any `every_s`. `limits`: how many runs a provider carries at a time. Raises Unavailable
        for PostgreSQL; while Redis is away nobody could hear of it.
        """
        try:
            async with asyncio.timeout(_ANSWER_S):
                if not await self._redis.set(_TURN, b"", nx=True, px=max(1, round(every_s * 900))):
                    return 0
                known = {
                    run_id.decode(): _told.decode(text)
                    for run_id, text in (await self._redis.hgetall(_TOLD)).items()  # type: ignore[misc]  # as above
                }
            line = await self._read(limits)
            changed = {run_id: told for run_id, told in line.items() if known.get(run_id) != told}
            left = {run_id: told for run_id, told in known.items() if run_id not in line}
            async with asyncio.timeout(_ANSWER_S):
                await self._keep(changed, list(left))
        except _AWAY as error:
            log.warning("line.not_told", reason=type(error).__name__)
            return 0
        self._publish(changed, left)
        return len(changed) + len(left)

    async def _read(self, limits: Mapping[str, int]) -> dict[str, _Told]:
        async with reaching_the_database():
            rows = await self._database.fetch(_WAITING, MOST, COUNTED + 2)
        waiting = [Waiting(*tuple(row)[:8]) for row in rows]
        carried = {row["provider"]: row["carried_by_provider"] for row in rows}
        free = {provider: places - carried.get(provider, 0) for provider, places in limits.items()}
        line = line_of(waiting, free)
        return {run.run_id: _Told(run.workflow_id, run.node_id, line[run.run_id]) for run in waiting}

    async def _keep(self, changed: dict[str, _Told], left: list[str]) -> None:
        async with self._redis.pipeline(transaction=True) as pipeline:
            if left:
                pipeline.hdel(_TOLD, *left)
            if changed:
                pipeline.hset(_TOLD, mapping={key: msgspec.msgpack.encode(told) for key, told in changed.items()})
            pipeline.expire(_TOLD, _KEEP_S)
            await pipeline.execute()

    def _publish(self, changed: dict[str, _Told], left: dict[str, _Told]) -> None:
        news: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for told_of, has_place in ((left, False), (changed, True)):
            for run_id, told in told_of.items():
                in_line = msgspec.to_builtins(told.in_line) if has_place else None
                news[told.workflow_id].append({"jobId": run_id, "nodeId": told.node_id, "inLine": in_line})
        for workflow_id, runs in news.items():
            self._relay.publish(workflow_id, RunsHint(tuple(runs)))


_WAITING = f"""{LINES}
    SELECT head.id, head.subject_id, head.node_id, head.account_id, head.provider, head.run_after,
      coalesce(of_account.runs, 0) AS carried, accounts.served_at, coalesce(of_provider.runs, 0) AS carried_by_provider
    FROM lines JOIN accounts ON accounts.id = lines.account_id
    LEFT JOIN of_account USING (account_id)
    LEFT JOIN of_provider USING (provider)
    CROSS JOIN LATERAL (
      SELECT id, subject_id, node_id, account_id, provider, run_after,
        row_number() OVER (ORDER BY run_after, id) AS place FROM runs
      WHERE status = 'pending' AND account_id = lines.account_id AND provider = lines.provider
      AND run_after <= now() AND (lease_until IS NULL OR lease_until < now())
      ORDER BY run_after, id LIMIT (SELECT greatest($2, $1 / count(*)) FROM lines)) AS head
    ORDER BY coalesce(of_account.runs, 0) + head.place, accounts.served_at NULLS FIRST, head.run_after, head.id
    LIMIT $1"""
