"""How many requests a minute: of an account, and of an address whose credentials are not believed.

Counted in Redis for all servers together. A server fetches a few requests' worth at a time, so that most requests ask
nobody; a window is never exceeded, and whoever is spread over many servers may get a little less than it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections.abc import Callable
from functools import lru_cache

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from canvas.errors import LimitReached

log = structlog.get_logger(__name__)

WINDOW_S = 60
REFUSALS_PER_MINUTE = 60  # of one address: a person mistypes less, and a token has 256 bits to guess
LINKS_PER_MINUTE = 60  # login and share links that one address follows
_ANSWER_S = 0.5  # a Redis that needs longer is away
_SHARES = 64  # of a window: what a server fetches at a time
_MAX_KNOWN = 20_000


class _Share(msgspec.Struct):
    """What this server may still let through of a key's window."""

    left: int
    ends_at: float


class RequestRates:
    def __init__(self, redis: Redis, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._take = redis.register_script(_TAKE)
        self._per_minute = per_minute
        self._clock = clock
        self._known: dict[str, _Share] = {}
        self._is_away = False

    async def count_request(self, account_id: str) -> None:
        """Raises LimitReached with `retryAfter`, in seconds."""
        wait_s = await self._spend(f"account:{account_id}", self._per_minute)
        if wait_s:
            raise _too_many(f"At most {self._per_minute} requests a minute are answered.", wait_s)

    async def count_link(self, address: str | None) -> None:
        """Somebody follows a login or a share link. Raises LimitReached."""
        wait_s = await self._spend(f"link:{_network(address)}", LINKS_PER_MINUTE)
        if wait_s:
            raise _too_many("Too many links were followed from your network.", wait_s)

    async def count_refusal(self, address: str | None) -> None:
        """A credential was not believed."""
        await self._spend(_refusals(address), REFUSALS_PER_MINUTE)

    def check_refusals(self, address: str | None) -> None:
        """Before a credential is looked up: raises LimitReached after too many that were not believed."""
        known = self._known.get(_refusals(address))
        if known is not None and known.left < 0 and known.ends_at > self._clock():
            raise _too_many("Too many sign-ins from your network have failed.", known.ends_at - self._clock())

    async def _spend(self, key: str, limit: int) -> float:
        """Seconds to wait; 0: go on."""
        share = self._known.get(key)
        if share is None or share.ends_at <= self._clock() or share.left == 0:
            share = await self._fetch(key, limit)
        if share.left < 0:
            return max(share.ends_at - self._clock(), 0.001)
        share.left -= 1
        return 0.0

    async def _fetch(self, key: str, limit: int) -> _Share:
        """More of the window. `left` is -1 when there is no more."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                got, rest_ms = await self._take(
                    keys=[f"easel:rate:{key}"], args=[limit, max(limit // _SHARES, 1), WINDOW_S * 1000]
                )
        except (RedisError, OSError) as error:  # asyncio's TimeoutError is an OSError, too
            got, rest_ms = self._without_redis(key, limit, error)
        else:
            self._is_away = False
        ends_at = self._clock() + rest_ms / 1000
        old = self._known.get(key)
        if old is not None and old.left > 0 and old.ends_at > self._clock():  # two asked at once
            old.left += max(got, 0)
            return old
        if len(self._known) >= _MAX_KNOWN:
            self._forget()
        share = self._known[key] = _Share(got, ends_at)
        return share

    def _without_redis(self, key: str, limit: int, error: Exception) -> tuple[int, float]:
        """Each server counts for itself."""
        if not self._is_away:
            self._is_away = True
            log.warning("rates.redis_away", reason=type(error).__name__)
        known = self._known.get(key)
        if known is not None and known.ends_at > self._clock():
            return -1, (known.ends_at - self._clock()) * 1000
        return limit, WINDOW_S * 1000

    def _forget(self) -> None:
        """What is over; and if that is too little, the half that has been known for longest."""
        now = self._clock()
        live = [(key, share) for key, share in self._known.items() if share.ends_at > now]
        self._known = dict(live[-_MAX_KNOWN // 2 :])


def _too_many(why: str, wait_s: float) -> LimitReached:
    seconds = math.ceil(wait_s)
    return LimitReached(f"{why} Try again in {seconds} s.", code="RATE_LIMITED", retryAfter=seconds)


def _refusals(address: str | None) -> str:
    return f"refused:{_network(address)}"


@lru_cache(4096)  # asked for each request
def _network(address: str | None) -> str:
    """An IPv6 line has a whole /64 to speak from (RFC 6177)."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "local"  # a unix socket has no address
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed.ipv4_mapped if parsed.version == 6 else parsed)


# What is given out, or -1; and how long the window still lasts. The window begins with its first request.
_TAKE = """
    local used = tonumber(redis.call('GET', KEYS[1]) or 0)
    local limit, share = tonumber(ARGV[1]), tonumber(ARGV[2])
    if used >= limit then
      local rest = redis.call('PTTL', KEYS[1])
      if rest > 0 then return {-1, rest} end
      redis.call('DEL', KEYS[1])
      used = 0
    end
    local given = math.min(share, limit - used)
    redis.call('INCRBY', KEYS[1], given)
    local rest = redis.call('PTTL', KEYS[1])
    if rest <= 0 then
      redis.call('PEXPIRE', KEYS[1], ARGV[3])
      rest = tonumber(ARGV[3])
    end
    return {given, rest}
"""
