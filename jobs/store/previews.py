"""Step previews in Redis: the newest per run, for two minutes. Never in PostgreSQL."""

from __future__ import annotations

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

_KEY = "easel:preview:"
_KEEP_S = 120  # longer than any provider pauses between two steps


class RedisPreviews:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, job_id: str, picture: bytes) -> None:
        try:
            await self._redis.set(_KEY + job_id, picture, ex=_KEEP_S)
        except (RedisError, OSError) as error:
            log.warning("preview.lost", job=job_id, reason=type(error).__name__)

    async def read(self, job_id: str) -> bytes | None:
        """None: there is none (any more), or Redis is away."""
        try:
            found: bytes | None = await self._redis.get(_KEY + job_id)
        except (RedisError, OSError) as error:
            log.warning("preview.unreadable", job=job_id, reason=type(error).__name__)
            return None
        return found
