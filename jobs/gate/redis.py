"""The gate that all workers share, in Redis: each step is one script, so that two workers never take the same place.

It goes by Redis' own time: the clocks of the workers may differ.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from jobs.gate.memory import MemoryGate
from jobs.gate.port import FULL_S, PAUSE_S, PLACE_S, allowance
from jobs.providers.port import Limits

log = structlog.get_logger(__name__)

_ANSWER_S = 1.0  # a Redis that needs longer is away
_AWAY = (RedisError, OSError)  # asyncio's TimeoutError is an OSError, too


class RedisGate:
    """While Redis is away this process lets one order at a time through for each credential.

    So that it can, it remembers its own orders, penalties and pauses as well.
    """

    def __init__(self, redis: Redis, clock: Callable[[], float] | None = None) -> None:
        """`clock` (seconds) stands in for Redis' time."""
        self._clock = clock
        self._redis = redis
        self._own = MemoryGate() if clock is None else MemoryGate(clock)
        self._enter = redis.register_script(_NOW + _ENTER)
        self._hold = redis.register_script(_NOW + _HOLD)
        self._penalise = redis.register_script(_NOW + _PENALISE)
        self._pause = redis.register_script(_NOW + _PAUSE)
        self._paused = redis.register_script(_NOW + _PAUSED)
        self._is_away = False

    async def enter(self, credential: str, limits: Limits, order_id: str) -> float:
        count, window_s = 0, 0.0
        if limits.requests_per_minute is not None:
            count, window_s = allowance(limits.requests_per_minute)
        concurrency = -1 if limits.concurrency is None else limits.concurrency
        arguments = order_id, concurrency, count, _ms(window_s), _ms(PLACE_S), _ms(FULL_S)
        try:
            wait_ms = await self._run(self._enter, credential, ("places", "entries", "shut"), *arguments)
        except _AWAY as error:
            self._note_away(error)
            return await self._own.enter(credential, msgspec.structs.replace(limits, concurrency=1), order_id)
        if not wait_ms:
            await self._own.hold(credential, order_id)
        return int(wait_ms) / 1000

    async def hold(self, credential: str, order_id: str) -> None:
        await self._own.hold(credential, order_id)
        await self._tell(self._run(self._hold, credential, ("places",), order_id, _ms(PLACE_S)))

    async def leave(self, credential: str, order_id: str) -> None:
        await self._own.leave(credential, order_id)
        await self._tell(self._ask(self._redis.zrem(_key(credential, "places"), order_id)))

    async def penalise(self, credential: str, seconds: float) -> None:
        await self._own.penalise(credential, seconds)
        await self._tell(self._run(self._penalise, credential, ("shut",), _ms(seconds)))

    async def pause(self, credential: str, provider: str, code: str) -> None:
        log.warning("gate.paused", provider=provider, credential=credential, code=code)
        await self._own.pause(credential, provider, code)
        await self._tell(self._run(self._pause, credential, ("pause",), code, _ms(PAUSE_S.get(code, 0.0))))

    async def paused(self, credential: str) -> str | None:
        try:
            code = await self._run(self._paused, credential, ("pause",))
        except _AWAY as error:
            self._note_away(error)
            return await self._own.paused(credential)
        if code is None:  # somebody may have resumed it elsewhere
            await self._own.resume(credential)
            return None
        return code.decode() if isinstance(code, bytes) else str(code)

    async def resume(self, credential: str) -> None:
        await self._own.resume(credential)
        await self._tell(self._ask(self._redis.delete(_key(credential, "pause"))))

    async def _run(self, script: AsyncScript, credential: str, names: tuple[str, ...], *arguments: Any) -> Any:
        now = "" if self._clock is None else _ms(self._clock())
        keys = [_key(credential, name) for name in names]
        return await self._ask(script(keys=keys, args=[now, *arguments]))

    async def _ask(self, question: Awaitable[Any]) -> Any:
        async with asyncio.timeout(_ANSWER_S):
            answer = await question
        if self._is_away:
            self._is_away = False
            log.info("gate.redis_back")
        return answer

    async def _tell(self, news: Awaitable[Any]) -> None:
        """What does not arrive is known to this process, and to the others when a place, a penalty or a pause ends."""
        try:
            await news
        except _AWAY as error:
            self._note_away(error)

    def _note_away(self, error: Exception) -> None:
        if not self._is_away:
            self._is_away = True
            log.warning("gate.redis_away", reason=type(error).__name__, limit="one order at a time for each credential")


def _key(credential: str, name: str) -> str:
    return f"easel:gate:{{{credential}}}:{name}"


def _ms(seconds: float) -> int:
    return math.ceil(seconds * 1000)


_NOW = """
    local now = tonumber(ARGV[1])
    if not now then
      local time = redis.call('TIME')
      now = time[1] * 1000 + math.floor(time[2] / 1000)
    end
"""
_ENTER = """
    local places, entries, shut = KEYS[1], KEYS[2], KEYS[3]
    local order, concurrency, count = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
    local window, place, full = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
    local shut_until = tonumber(redis.call('GET', shut) or 0)
    if shut_until > now then return shut_until - now end
    redis.call('ZREMRANGEBYSCORE', places, '-inf', now)
    if concurrency >= 0 and not redis.call('ZSCORE', places, order)
      and redis.call('ZCARD', places) >= concurrency then return full end
    if count > 0 then
      local oldest = redis.call('LINDEX', entries, -count)
      if oldest and oldest + window > now then return oldest + window - now end
      redis.call('RPUSH', entries, now)
      redis.call('LTRIM', entries, -count, -1)
      redis.call('PEXPIRE', entries, window)
    end
    redis.call('ZADD', places, now + place, order)
    redis.call('PEXPIRE', places, place)
    return 0
"""
_HOLD = """
    redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
"""
_PENALISE = """
    local ends = now + ARGV[2]
    if ends > tonumber(redis.call('GET', KEYS[1]) or 0) then
      redis.call('SET', KEYS[1], string.format('%.0f', ends), 'PX', ARGV[2])
    end
"""
_PAUSE = """
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'code', ARGV[2])
    if tonumber(ARGV[3]) > 0 then
      redis.call('HSET', KEYS[1], 'ends', string.format('%.0f', now + ARGV[3]))
      redis.call('PEXPIRE', KEYS[1], ARGV[3])
    end
"""
_PAUSED = """
    local ends = redis.call('HGET', KEYS[1], 'ends')
    if ends and tonumber(ends) <= now then return nil end
    return redis.call('HGET', KEYS[1], 'code')
"""
