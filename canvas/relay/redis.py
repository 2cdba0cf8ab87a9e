"""The relay over Redis pub/sub: one channel a workflow, one subscribing connection a process.

Nobody but the two tasks that `open_relay` runs waits for Redis: one that hangs (it is swapping, or stopped) delays no
commit, as one that is down does not.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from canvas.relay.port import Hint, Listener

log = structlog.get_logger(__name__)

_CHANNEL = "easel:workflow:"
_RETRY_S = 0.5  # how long a lost connection waits before it tries again
_ANSWER_S = 1.0  # a Redis that needs longer is away: the poll of `canvas.hub` has told by then
_SILENCE_S = 10.0  # after that a subscription asks whether anybody is still there
_MAX_WAITING_BYTES = 4 << 20  # of hints that wait to be sent; the oldest go first
_AWAY = (RedisError, OSError)  # asyncio's TimeoutError is an OSError, too

_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Hint] = msgspec.json.Decoder(Hint)


class RedisRelay:
    """Use `open_relay`. While Redis is away hints are dropped and the subscription is tried again until it holds."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._listeners: dict[str, list[Listener]] = {}
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._waiting_bytes = 0
        self._has_waiting = asyncio.Event()
        self._is_closing = False
        self._pubsub: PubSub = redis.pubsub()
        self._line = asyncio.Lock()
        """Held by whoever says something on the subscribing connection, or replaces it."""
        self._is_away = False
        self._is_wanted = asyncio.Event()

    # Telling

    def publish(self, workflow_id: str, hint: Hint) -> None:
        """Returns at once; `send` carries it."""
        payload = _encode(hint)
        self._waiting.append((_CHANNEL + workflow_id, payload))
        self._waiting_bytes += len(payload)
        self._has_waiting.set()
        lost = 0
        while self._waiting_bytes > _MAX_WAITING_BYTES and len(self._waiting) > 1:
            self._waiting_bytes -= len(self._waiting.popleft()[1])
            lost += 1
        if lost:
            log.warning("relay.publish_lost", hints=lost, reason="Redis is too slow")

    async def send(self) -> None:
        """Send what waits, all of it in one go, until `finish`."""
        while self._waiting or not self._is_closing:
            await self._has_waiting.wait()
            self._has_waiting.clear()
            hints = tuple(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            if not hints:
                continue
            try:
                async with asyncio.timeout(_ANSWER_S), self._redis.pipeline(transaction=False) as pipeline:
                    for channel, payload in hints:
                        pipeline.publish(channel, payload)
                    await pipeline.execute()
            except _AWAY as error:
                log.warning("relay.publish_lost", hints=len(hints), reason=type(error).__name__)

    def finish(self) -> None:
        self._is_closing = True
        self._has_waiting.set()

    # Hearing

    async def subscribe(self, workflow_id: str, listener: Listener) -> Callable[[], None]:
        listeners = self._listeners.get(workflow_id)
        if listeners is None:
            self._listeners[workflow_id] = [listener]
            if not self._is_away:  # else `carry` subscribes it with all others
                await self._subscribe_now(_CHANNEL + workflow_id)
            self._is_wanted.set()
        else:
            listeners.append(listener)
        return lambda: self._forget(workflow_id, listener)

    async def _subscribe_now(self, channel: str) -> None:
        try:
            async with asyncio.timeout(_ANSWER_S), self._line:
                await self._pubsub.subscribe(channel)
        except _AWAY:
            self._is_away = True
            await self._hang_up(self._pubsub)  # `carry` hears of it, and comes back

    def _forget(self, workflow_id: str, listener: Listener) -> None:
        # The channel itself is left by `carry`, which owns the connection, when it next hears something there.
        listeners = self._listeners.get(workflow_id, [])
        if listener in listeners:
            listeners.remove(listener)

    async def carry(self) -> None:
        """Deliver hints until cancelled."""
        while True:
            await self._is_wanted.wait()
            try:
                while not self._is_away:
                    await self._deliver(await self._next())
            except _AWAY as error:
                log.warning("relay.lost", reason=type(error).__name__)
            self._is_away = True
            await self._come_back()
            log.info("relay.back", workflows=len(self._listeners))

    async def _next(self) -> dict[str, Any]:
        async with asyncio.timeout(_SILENCE_S + 2 * _ANSWER_S):
            message: dict[str, Any] | None = await self._pubsub.get_message(timeout=_SILENCE_S)
            if message is None:  # a connection whose other end has vanished is silent, too
                async with self._line:
                    await self._pubsub.ping()
                message = await self._pubsub.get_message(timeout=_ANSWER_S)
        if message is None:
            raise TimeoutError
        return message

    async def _deliver(self, message: dict[str, Any]) -> None:
        if message["type"] != "message":
            return
        workflow_id = message["channel"].decode().removeprefix(_CHANNEL)
        listeners = self._listeners.get(workflow_id)
        if not listeners:
            self._listeners.pop(workflow_id, None)
            async with asyncio.timeout(_ANSWER_S), self._line:
                if workflow_id not in self._listeners:
                    await self._pubsub.unsubscribe(message["channel"])
            return
        try:
            hint = _decoder.decode(message["data"])
        except msgspec.DecodeError:
            log.warning("relay.unreadable", workflow=workflow_id)  # another version's hint: the poll heals
            return
        for listener in tuple(listeners):
            listener(hint)

    async def _come_back(self) -> None:
        """Try until a new connection is subscribed to everything that somebody listens to."""
        while self._is_away:
            await asyncio.sleep(_RETRY_S)
            await self._hang_up(self._pubsub)
            self._pubsub = self._redis.pubsub()
            with contextlib.suppress(*_AWAY):
                async with asyncio.timeout(_ANSWER_S), self._line:
                    await self._subscribe_all()

    async def _subscribe_all(self) -> None:
        subscribed: set[str] = set()
        while missing := {_CHANNEL + workflow_id for workflow_id in self._listeners} - subscribed:
            await self._pubsub.subscribe(*missing)
            subscribed |= missing  # somebody may have come to listen meanwhile
        self._is_away = False
        if not subscribed:
            self._is_wanted.clear()

    @staticmethod
    async def _hang_up(pubsub: PubSub) -> None:
        with contextlib.suppress(*_AWAY):
            async with asyncio.timeout(_ANSWER_S):
                await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    async def close(self) -> None:
        await self._hang_up(self._pubsub)


@asynccontextmanager
async def open_relay(redis: Redis) -> AsyncIterator[RedisRelay]:
    relay = RedisRelay(redis)
    sender = asyncio.create_task(relay.send(), name="relay out")
    carrier = asyncio.create_task(relay.carry(), name="relay in")
    try:
        yield relay
    finally:
        relay.finish()
        carrier.cancel()
        await asyncio.wait({sender, carrier}, timeout=2 * _ANSWER_S)
        sender.cancel()
        for task in (sender, carrier):
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await relay.close()
